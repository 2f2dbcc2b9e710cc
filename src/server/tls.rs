//! The certificate and the key of a server, as they are on disk now.
//!
//! Checks them when it loads them: a certificate that has expired or does not belong to the key is an
//! error at the start. Later, new files replace the old ones without a restart; files that cannot be
//! used leave the old ones in place, with a warning. Handles no connection (`entry.rs`).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig, ServerConnection};
use webpki::{EndEntityCert, KeyUsage};

use crate::error::Error;
use crate::sync::Mutex;

/// The protocols that a client may choose.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// How often the files are compared with the loaded ones.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A certificate and its key. Cheap to clone; all clones change together.
#[derive(Clone, Debug)]
pub struct Tls(Arc<TlsState>);

#[derive(Debug)]
struct TlsState {
    files: CertificateFiles,
    config: Arc<ServerConfig>,
    current: Arc<CurrentKey>,
    /// The files that were loaded last, or could not be.
    loaded: Mutex<Option<CertificateStamps>>,
}

#[derive(Debug)]
struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// The certificate that new connections get.
#[derive(Debug)]
struct CurrentKey(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for CurrentKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Loads a certificate, with its issuers' certificates after it, and its key, both in PEM.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed; the certificate has expired, or belongs to another key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let files = CertificateFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        let provider = Arc::new(default_provider());
        let loaded = files.stamps();
        let current = Arc::new(CurrentKey(ArcSwap::from_pointee(files.load(&provider)?)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default cipher suites")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        let config = Arc::new(config);
        Ok(Self(Arc::new(TlsState { files, config, current, loaded: Mutex::new(loaded) })))
    }

    /// Loads the files again, for new connections.
    ///
    /// # Errors
    ///
    /// They cannot be used; the certificate from before stays.
    pub fn reload(&self) -> Result<(), Error> {
        let state = &*self.0;
        *state.loaded.lock() = state.files.stamps();
        let key = state.files.load(state.config.crypto_provider())?;
        state.current.0.store(Arc::new(key));
        tracing::info!("loaded the certificate `{}`", state.files.certificate.display());
        Ok(())
    }

    /// Loads the files again each time that they have changed; logs why they cannot be used.
    pub(super) async fn follow_files(self) {
        let mut each = tokio::time::interval(POLL_INTERVAL);
        let mut before = *self.0.loaded.lock();
        loop {
            each.tick().await;
            let now = self.0.files.stamps();
            // Two files are written one after the other: a change is complete if it has a pause.
            if now == before && now != *self.0.loaded.lock() {
                self.reload_or_warn();
            }
            before = now;
        }
    }

    /// Does the same as [`reload`](Self::reload), and logs the error.
    pub fn reload_or_warn(&self) {
        if let Err(error) = self.reload() {
            tracing::warn!("the certificate from before stays in use: {error}");
        }
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.config)
    }
}

/// Shows that a file has changed: its time, size and number.
type CertificateStamp = (i64, i64, u64, u64);
type CertificateStamps = [CertificateStamp; 2];

impl CertificateFiles {
    /// `None` while one of them is not there.
    fn stamps(&self) -> Option<CertificateStamps> {
        let stamp = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
        };
        Some([stamp(&self.certificate)?, stamp(&self.key)?])
    }

    fn load(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        let (certificate, key) = (&*self.certificate, &*self.key);
        let text = read(certificate)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|error| bad(certificate, invalid_pem(&error)))?;
        let first = chain.first().ok_or_else(|| {
            bad(
                certificate,
                "it has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)".to_owned(),
            )
        })?;
        check_validity(first).map_err(|problem| bad(certificate, problem))?;
        let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
            let problem = match error {
                pem::Error::NoItemsFound => {
                    "it has no unencrypted private key in PEM (`-----BEGIN PRIVATE KEY-----`)"
                        .to_owned()
                }
                error => invalid_pem(&error),
            };
            bad(key, problem)
        })?;
        CertifiedKey::from_der(chain, secret, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let certificate = certificate.display();
                bad(key, format!("it is not the key of the certificate `{certificate}`"))
            }
            rustls::Error::InvalidCertificate(error) => {
                bad(certificate, format!("its first certificate is not valid: {error}"))
            }
            error => bad(key, format!("its key cannot be used: {error}")),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => bad(path, "there is no such file".to_owned()),
        _ => bad(path, error.to_string()),
    })
}

fn invalid_pem(error: &pem::Error) -> String {
    format!("it is not valid PEM: {error}")
}

fn bad(path: &Path, problem: String) -> Error {
    Error::BadCertificate { path: path.to_owned(), problem }
}

/// Checks that a certificate is valid at this time; the error is the problem.
fn check_validity(certificate: &CertificateDer<'_>) -> Result<(), String> {
    let not_valid = |error| format!("its first certificate cannot be read: {error}");
    let parsed = EndEntityCert::try_from(certificate).map_err(not_valid)?;
    // The time is checked first, and there is no issuer to find.
    let (now, usage) = (UnixTime::now(), KeyUsage::server_auth());
    match parsed.verify_for_usage(&[], &[], &[], now, usage, None, None) {
        Err(webpki::Error::CertExpired { not_after, .. }) => {
            Err(format!("its certificate has expired on {}; renew it", date(not_after)))
        }
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => Err(format!(
            "its certificate is valid from {} on; check the clock, or use another one",
            date(not_before)
        )),
        _ => Ok(()),
    }
}

fn date(time: UnixTime) -> String {
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(time.as_secs());
    httpdate::fmt_http_date(time)
}

/// Whether a client has chosen HTTP/2.
pub(super) fn is_http2(connection: &ServerConnection) -> bool {
    connection.alpn_protocol() == Some(PROTOCOLS[0])
}
