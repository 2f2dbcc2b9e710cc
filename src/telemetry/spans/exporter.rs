//! Sends batches of spans to the collector, over HTTP/1.1, with TLS for an `https` URL.
//!
//! Repeats what the collector asks to repeat, within the time limit. Runs in the thread of the spans, in an
//! async runtime of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::environment::SpanSettings;
use super::otlp;
use crate::telemetry::request_span::RequestSpan;

/// The pause before the first repetition; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The limit of the last export of a process.
const LAST_EXPORT: Duration = Duration::from_millis(900);
/// The most bytes of a response that are read.
const MAX_RESPONSE: usize = 64 * 1024;
/// The certificates of the system: Debian, Red Hat, others.
const SYSTEM_CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The way to a collector.
pub(super) struct Exporter {
    settings: SpanSettings,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    runtime: Runtime,
}

impl Exporter {
    /// # Errors
    ///
    /// The certificates for TLS cannot be read; as a sentence.
    pub(super) fn new(settings: SpanSettings) -> Result<Self, String> {
        let is_https = settings.url.scheme_str() == Some("https");
        let host = settings.url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = settings.url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let tls = is_https.then(|| tls(settings.certificates.as_deref())).transpose()?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        Ok(Self { settings, host, port, tls, runtime })
    }

    /// Exports spans; returns how many the collector has rejected, and why.
    ///
    /// # Errors
    ///
    /// The collector has received none of them; as a sentence.
    pub(super) fn export(
        &mut self,
        requests: &[RequestSpan],
        is_last: bool,
    ) -> Result<Option<(u64, String)>, String> {
        let body = Bytes::from(otlp::export_body(&self.settings.resource, requests));
        let limit = if is_last { LAST_EXPORT } else { self.settings.timeout };
        let failed = |problem: &str| format!("{} {problem}", self.settings.url);
        self.runtime.block_on(async {
            let deadline = Instant::now() + limit;
            let mut pause = FIRST_PAUSE;
            loop {
                let sending = tokio::time::timeout_at(deadline, self.send(body.clone()));
                let response = match sending.await {
                    Ok(response) => response,
                    Err(_) => return Err(failed(&format!("has not responded within {limit:?}"))),
                };
                let (problem, wait) = match response {
                    Ok((status, _, body)) if status.is_success() => {
                        return Ok(otlp::rejection(&body));
                    }
                    Ok((status, wait, _)) => {
                        let problem = failed(&format!("has responded with {status}"));
                        if !matches!(status.as_u16(), 429 | 502..=504) {
                            return Err(problem);
                        }
                        (problem, wait)
                    }
                    Err(error) => (failed(&format!("does not respond ({error})")), None),
                };
                let next = Instant::now() + wait.unwrap_or(pause);
                if is_last || next >= deadline {
                    return Err(problem);
                }
                tokio::time::sleep_until(next).await;
                pause *= 2;
            }
        })
    }

    async fn send(&self, body: Bytes) -> Result<(StatusCode, Option<Duration>, Bytes), io::Error> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        let response = match &self.tls {
            None => self.request(stream, body).await?,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                self.request(tls.connect(name, stream).await?, body).await?
            }
        };
        let (head, body) = response.into_parts();
        let wait =
            head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(body, MAX_RESPONSE).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default(); // it has the status
        Ok((head.status, wait.map(Duration::from_secs), body))
    }

    async fn request(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        body: Bytes,
    ) -> io::Result<Response<Incoming>> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let url = &self.settings.url;
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("snaxum/", env!("CARGO_PKG_VERSION")))
            .body(Body::from(body))
            .map_err(io::Error::other)?;
        for (name, value) in &self.settings.headers {
            request.headers_mut().insert(name, HeaderValue::clone(value));
        }
        sender.send_request(request).await.map_err(io::Error::other)
    }
}

/// Trusts the certificates of a file, or the certificates of the system.
fn tls(file: Option<&Path>) -> Result<TlsConnector, String> {
    let of_system = || {
        let named = super::environment::variable("SSL_CERT_FILE").map(PathBuf::from);
        named.or_else(|| SYSTEM_CERTIFICATES.map(PathBuf::from).into_iter().find(|it| it.exists()))
    };
    let file = file.map(Path::to_owned).or_else(of_system).ok_or(
        "the system has no file of certificates; set OTEL_EXPORTER_OTLP_CERTIFICATE to one",
    )?;
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(&file)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|error| format!("cannot read the certificates `{}`: {error}", file.display()))?;
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        return Err(format!("`{}` has no certificate in PEM", file.display()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default cipher suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
