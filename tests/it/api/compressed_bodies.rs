//! Bodies with `Content-Encoding`.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use reqwest::Method;
use serde_json::{Value, json};

use super::bodies::{FORMS, MB, STREAMS, form};
use crate::support::{Project, send};

#[tokio::test]
async fn compressed_bodies_are_decompressed_up_to_the_limit() {
    let limits = ["--max-body-size=100kB", "--max-upload-size=1MB"];
    let app = format!(
        "{FORMS}\n@route('/json', methods=['POST'])\ndef parsed(request): \
                       return [request.body, dict(request.headers).get('content-encoding')]\n"
    );
    let streams = STREAMS.replace("import _gate", "_gate = None");
    let server = Project::new()
        .file("app.py", &app)
        .file("streams.py", &streams)
        .args(&limits)
        .serve()
        .await;
    let coded = async |path: &str, kind: &str, coding: &str, body: Vec<u8>| {
        let request = server.request(Method::POST, path).header("content-type", kind);
        send(request.header("content-encoding", coding).body(body)).await
    };
    let text = br#"{"a": [1, 2]}"#;

    for (coding, body) in [("gzip", gzip(text)), ("X-GZIP", gzip(text)), ("deflate", zlib(text))] {
        let reply = coded("/json", "application/json", coding, body).await;
        assert_eq!(reply.json(), json!([{"a": [1, 2]}, Value::Null]), "{coding}");
    }
    let reply = coded("/form", "multipart/form-data; boundary=XX", "identity", form(&[])).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let parts = form(&[("name=a", b"1"), ("name=f; filename=f", &[b'x'; 500_000])]);
    let reply = coded("/form", "multipart/form-data; boundary=XX", "gzip", gzip(&parts)).await;
    assert_eq!(reply.json()["files"][0][3], 500_000);
    let reply = coded("/flag", "text/plain", "gzip", gzip(&vec![b'y'; 300_000])).await;
    assert_eq!(reply.body.len(), 300_000);

    // A small body that grows.
    let bomb = gzip(&vec![0; 50 * MB]);
    assert!(bomb.len() < 100_000);
    assert_eq!(coded("/data", "text/plain", "gzip", bomb.clone()).await.status, 413);
    let reply = coded("/form", "multipart/form-data; boundary=XX", "gzip", bomb.clone()).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(coded("/flag", "text/plain", "gzip", bomb).await.status, 413);
    let incomplete = gzip(text)[..20].to_vec();
    for body in [incomplete, text.to_vec()] {
        let reply = coded("/json", "application/json", "gzip", body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("is not valid gzip"), "{}", reply.text());
    }
    // Another coding is the handler's business; JSON it is not.
    assert_eq!(coded("/data", "text/plain", "br", b"raw".to_vec()).await.text(), "raw");
    assert_eq!(coded("/json", "application/json", "br", b"raw".to_vec()).await.status, 415);
    let reply = coded("/form", "multipart/form-data; boundary=XX", "br", parts).await;
    assert_eq!(reply.status, 415);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}
