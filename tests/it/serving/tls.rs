//! TLS: its protocols, its certificates on disk, and certificates that cannot be used.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::support::{Project, Server, in_time};

use super::{curl, curl_json, project, rejected, run, serve, url};

/// Makes a certificate for 127.0.0.1 with OpenSSL; replaces both files at once.
pub(super) async fn make_certificate(dir: &Path) {
    let output = run(
        "openssl",
        dir,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "key.new",
            "-out",
            "cert.new",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
            // A client of rustls takes no authority for a server.
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ],
    )
    .await;
    assert!(output.status.success(), "{output:?}");
    for name in ["key", "cert"] {
        let (new, old) = (format!("{name}.new"), format!("{name}.pem"));
        std::fs::rename(dir.join(new), dir.join(old)).expect("it was made");
    }
}

/// Makes a certificate that was valid for a day.
async fn make_expired(dir: &Path) {
    let config = "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\n\
                  default_md = sha256\npolicy = p\nx509_extensions = x\n[p]\ncommonName = supplied\n\
                  [x]\nsubjectAltName = DNS:localhost\n";
    std::fs::write(dir.join("ca.cnf"), config).expect("a file");
    std::fs::write(dir.join("index"), "").expect("a file");
    let steps: [&[&str]; 2] = [
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "old.key",
            "-out",
            "old.csr",
            "-subj",
            "/CN=localhost",
        ],
        &[
            "ca",
            "-config",
            "ca.cnf",
            "-selfsign",
            "-batch",
            "-notext",
            "-startdate",
            "20200101000000Z",
            "-enddate",
            "20200102000000Z",
            "-in",
            "old.csr",
            "-keyfile",
            "old.key",
            "-out",
            "old.pem",
        ],
    ];
    for step in steps {
        let output = run("openssl", dir, step).await;
        assert!(output.status.success(), "{output:?}");
    }
}

/// Connects with OpenSSL's client; its output has the protocol and the certificate.
async fn s_client(server: &Server, protocols: &str) -> String {
    let address = url(server).replace("https://", "");
    let args = ["s_client", "-connect", &address, "-alpn", protocols];
    let output = run("openssl", server.project.path(), &args).await;
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The certificate within the output of OpenSSL.
fn certificate(text: &str) -> String {
    let begin = text.find("-----BEGIN CERTIFICATE-----").expect("the server has sent one");
    let end = text.find("-----END CERTIFICATE-----").expect("it is complete");
    text[begin..end].to_owned()
}

const TLS: [&str; 6] = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--port", "0"];

#[tokio::test]
async fn a_client_chooses_its_version_of_http_and_new_certificates_replace_old_ones() {
    let project = project();
    let dir = project.path().to_owned();
    make_certificate(&dir).await;
    let args = [&TLS[..], &["--header-timeout", "2"]].concat();
    let mut server = serve(project, &args).await;
    let (url, authority) = (url(&server), url(&server).replace("https://", ""));
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");

    let trusted = ["--cacert", "cert.pem", "--write-out", " HTTP/%{http_version}"];
    let get = |path: &str, more: &[&str]| {
        let mut args: Vec<String> = trusted.iter().chain(more).map(ToString::to_string).collect();
        args.push(format!("{url}{path}"));
        let dir = dir.clone();
        async move { curl(&dir, &args.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let text = get("/asgi", &[]).await;
    assert_eq!(text, format!("127.0.0.1 https {authority} HTTP/2 HTTP/2"));
    let text = get("/wsgi", &["--http1.1"]).await;
    assert_eq!(text, format!("127.0.0.1 https {authority} HTTP/1.1 HTTP/1.1"));
    let origin = curl_json(&dir, &["--cacert", "cert.pem", &format!("{url}/where")]).await;
    assert_eq!((&origin["scheme"], &origin["host"]), (&"https".into(), &authority.clone().into()));

    let first = s_client(&server, "h2,http/1.1").await;
    assert!(first.contains("ALPN protocol: h2"), "{first}");
    let old = s_client(&server, "http/1.1").await;
    assert!(old.contains("ALPN protocol: http/1.1"), "{old}");

    // Files that cannot be used change nothing.
    std::fs::write(dir.join("cert.pem"), "no certificate").expect("a file");
    let warning = server.err.wait_for("the certificate from before stays in use").await;
    assert!(warning.contains("cert.pem` for TLS: it has no certificate in PEM"), "{warning}");
    assert_eq!(certificate(&s_client(&server, "h2").await), certificate(&first));
    make_certificate(&dir).await;
    let replaced =
        async { while certificate(&s_client(&server, "h2").await) == certificate(&first) {} };
    in_time("the new certificate", replaced).await;
    assert_eq!(get("/asgi", &[]).await.split(' ').nth(1), Some("https"));

    // A client without a handshake has the header timeout, and one without TLS is not served.
    for sent in ["", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut silent = TcpStream::connect(&authority).await.expect("it listens");
        silent.write_all(sent.as_bytes()).await.expect("it reads");
        let mut received = Vec::new();
        let _ = in_time("the end", silent.read_to_end(&mut received)).await;
        assert!(!String::from_utf8_lossy(&received).contains("HTTP/1.1"), "{received:?}");
    }
    assert!(server.stop().await.success());
}

const WAITS: &str = r#"
import _gate
from snaxum import route


@route("/waits")
async def waits():
    try:
        await _gate.wait_async("waits")
    finally:
        _gate.notify("ended")
"#;

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let project = Project::new().gate().file("app.py", WAITS);
    make_certificate(project.path()).await;
    let server = serve(project, &TLS).await;
    for version in ["--http1.1", "--http2"] {
        let mut client = Command::new("curl")
            .args(["--silent", "--insecure", "--noproxy", "*", version])
            .arg(format!("{}/waits", url(&server)))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("curl");
        let held = server.arrival().await;
        client.kill().await.expect("it runs");
        assert_eq!(server.arrival().await.name, "ended");
        drop(held);
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_one_line() {
    let project = project();
    let dir = project.path().to_owned();
    make_certificate(&dir).await;
    make_expired(&dir).await;
    std::fs::write(dir.join("text.pem"), "no PEM at all").expect("a file");
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    std::fs::write(dir.join("broken.pem"), broken).expect("a file");
    for (certificate, key, line) in [
        ("missing.pem", "key.pem", "missing.pem` for TLS: there is no such file"),
        ("text.pem", "key.pem", "text.pem` for TLS: it has no certificate in PEM"),
        ("broken.pem", "key.pem", "broken.pem` for TLS: its first certificate cannot be read"),
        ("old.pem", "old.key", "old.pem` for TLS: its certificate has expired on Thu, 02 Jan 2020"),
        ("cert.pem", "cert.pem", "cert.pem` for TLS: it has no unencrypted private key in PEM"),
        ("cert.pem", "old.key", "old.key` for TLS: it is not the key of the certificate `"),
    ] {
        let args = ["--tls-cert", certificate, "--tls-key", key, "--port", "0"];
        let error = rejected(&project, &args).await;
        assert!(error.contains(line), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_sends_nothing_does_not_delay_the_stop() {
    let project = project();
    make_certificate(project.path()).await;
    let hour = ["--header-timeout", "1h", "--drain-timeout", "1h"];
    let mut server = serve(project, &[&TLS[..], &hour].concat()).await;
    let address = url(&server).replace("https://", "");
    let _silent = TcpStream::connect(&address).await.expect("it listens");
    // Connections are accepted in order.
    let accepted = s_client(&server, "h2").await;
    assert!(accepted.contains("ALPN protocol: h2"), "{accepted}");
    assert!(server.stop().await.success());
}
