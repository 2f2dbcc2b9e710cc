//! `snaxum dev` in a directory with a program in Rust: builds, saves, programs that are not good, and bad input.
//!
//! The program of these tests uses no library, so that it compiles at once: it takes the socket and reports as
//! the library does. `library.rs` has the tests with the real one.

mod bad_input;
mod library;
mod programs;
mod saves;

use super::support::{Project, Server};

/// A program that responds `one` to each request.
const PROGRAM: &str = r#"
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const TEXT: &str = "one";

fn main() {
    let text = std::env::var("SNAXUM_DEV_PROGRAM").expect("a builder");
    let number = |name: &str| -> i32 {
        let (_, rest) = text.split_once(&format!("\"{name}\":")).expect("a field");
        rest.split([',', '}']).next().and_then(|number| number.parse().ok()).expect("a number")
    };
    let listener = unsafe { TcpListener::from_raw_fd(number("socket")) };
    let mut control = unsafe { UnixStream::from_raw_fd(number("control")) };
    let reports = "{\"type\":\"bound\"}\n{\"type\":\"loaded\",\"generation\":1,\"failures\":[]}\n";
    control.write_all(reports.as_bytes()).expect("it reads");
    loop {
        let mut client = match listener.accept() {
            Ok((client, _)) => client,
            // The builder has made the socket that all share non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        client.set_nonblocking(false).expect("a socket");
        let read = client.read(&mut [0; 4096]).unwrap_or_default();
        if read > 0 {
            let length = TEXT.len();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            let _ = client.write_all(format!("{head}{TEXT}").as_bytes());
        }
    }
}
"#;

const MANIFEST: &str = r#"
[package]
name = "shop"
version = "0.1.0"
edition = "2024"

[dependencies]
snaxum = { path = "library" }

[workspace]
"#;

/// The program, which responds with `text`.
fn responding(text: &str) -> String {
    PROGRAM.replace("\"one\"", &format!("{text:?}"))
}

/// A package whose program is `main`, with an empty crate in place of the library.
fn project(main: &str) -> Project {
    let library = MANIFEST.replace("shop", "snaxum").replace("snaxum = { path = \"library\" }", "");
    let project = Project::new();
    let target = project.path().join("target").display().to_string();
    project
        .top_file("Cargo.toml", MANIFEST)
        .top_file("src/main.rs", main)
        .top_file("library/Cargo.toml", &library.replace("[workspace]", ""))
        .top_file("library/src/lib.rs", "")
        .env("CARGO_TARGET_DIR", &target)
        .env("RUST_BACKTRACE", "0")
}

/// Starts the builder and waits until the program serves.
async fn serving(main: &str) -> Server {
    let server = project(main).spawn("dev");
    server.out.wait_for("version 1 live").await;
    server.announced()
}

/// Saves the program.
fn save(server: &Server, text: &str) {
    save_file(server, "src/main.rs", text);
}

fn save_file(server: &Server, name: &str, text: &str) {
    let path = server.project.path().join(name);
    std::fs::create_dir_all(path.parent().expect("it is below the project")).expect("directories");
    std::fs::write(path, text).expect("a file");
}

async fn text_of(server: &Server) -> String {
    server.get("/").await.text().to_owned()
}
