//! The list of server options: one entry declares an option everywhere.
//!
//! An entry generates the field of [`SnaxumConfig`] and its default, the builder method, the value
//! from text (`[tool.snaxum]`, `SNAXUM_*`, the command line) and the help (`declaration.rs`). Sets
//! nothing by itself: the caller decides which source wins.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::crash_record::CrashRecord;

use super::declaration::{OptionSpec, Setting, is_default, options};
use super::logs::{LogFormat, parse_address, parse_log_format, parse_log_path};
use super::option_places::OptionPlaces;
use super::server_process::ServerProcess;
use super::trusted_peers::TrustedPeers;
use super::values::{
    cores, parse_connections, parse_count, parse_descriptor, parse_duration, parse_header,
    parse_host, parse_host_pattern, parse_interface, parse_loop, parse_method, parse_number,
    parse_origin, parse_peers, parse_pool, parse_port, parse_processes, parse_proxies,
    parse_retries, parse_size, parse_switch, parse_target, parse_text, parse_url_path, parse_words,
};

options! {
    /// Address to listen on
    "host", "IP", parse_host, host(IpAddr)
        => host: IpAddr = Ipv4Addr::LOCALHOST.into(), "127.0.0.1";

    /// Port to listen on; 0 takes a free one
    "port", "PORT", parse_port, port(u16) => port: u16 = 3000, "3000";

    /// Path of a Unix socket to listen on in `serve`, relative to DIR, in place of a port
    "uds", "PATH", parse_text, uds(impl Into<PathBuf>) => uds: Option<PathBuf>;

    /// Descriptor of a listening socket to use in `serve`, in place of a port; LISTEN_FDS of systemd
    /// needs no option
    "fd", "N", parse_descriptor, fd(i32) => fd: Option<i32>;

    /// File of the certificate for TLS in `serve`, and of its issuers' certificates, in PEM, relative
    /// to DIR
    "tls-cert", "PATH", parse_text, tls_cert(impl Into<PathBuf>) => tls_cert: Option<PathBuf>;

    /// File of the private key of the certificate, in PEM, relative to DIR
    "tls-key", "PATH", parse_text, tls_key(impl Into<PathBuf>) => tls_key: Option<PathBuf>;

    /// Require a header of the PROXY protocol, version 2, at the start of each connection in `serve`, and
    /// accept connections of PEERS only: addresses and networks, or `unix`
    "proxy-protocol", "[PEERS]", parse_proxies, proxy_protocol(TrustedPeers)
        => proxy_protocol: Option<TrustedPeers>;

    /// Proxies whose X-Forwarded-For, -Proto and -Host, or Forwarded, name the client: addresses and
    /// networks with commas between them, `unix` for a Unix socket, or * for all; can be repeated
    "forwarded-allow-ips", "PEERS", parse_peers, forwarded_allow_ips(TrustedPeers)
        => forwarded_allow_ips: Vec<TrustedPeers>, "none";

    /// Directory of the Python modules; the command line resolves it from DIR
    "python-dir", "PATH", parse_text, python_dir(impl Into<PathBuf>)
        => python_dir: PathBuf = "python".into(), "python";

    /// Module to load; can be repeated
    "module", "NAME", parse_text, module(impl Into<String>)
        => modules: Vec<String>, "all but _*, test_* and conftest";

    /// Application of ASGI 3 or WSGI to serve at `/`; a command also takes it in place of DIR
    "app", "MODULE:ATTRIBUTE", parse_target, app(impl Into<String>) => app: Option<String>;

    /// Call the attribute without arguments to make the application
    "factory", "", parse_switch, factory(bool) => factory: bool = false;

    /// Interface of the application, asgi or wsgi; detected by default
    "interface", "INTERFACE", parse_interface, interface(impl Into<String>)
        => interface: Option<String>;

    /// Directory of the application's modules, relative to DIR, in place of the python dir
    "app-dir", "PATH", parse_text, app_dir(impl Into<PathBuf>) => app_dir: Option<PathBuf>, "DIR";

    /// Event loop of `async def` handlers and ASGI applications, asyncio or uvloop; auto is uvloop
    /// where it is installed
    "loop", "LOOP", parse_loop, event_loop(impl Into<String>)
        => event_loop: String = "auto".to_owned(), "auto";

    /// Pool of handlers: processes; dask, which starts a local cluster of dask.distributed; or
    /// dask://HOST:PORT, which joins one
    "pool", "POOL", parse_pool, pool(impl Into<String>)
        => pool: String = "processes".to_owned(), "processes";

    /// Processes in the pool
    "pool-workers", "N", parse_count, pool_workers(usize)
        => pool_workers: usize = cores(), "the number of cores";

    /// Number of times that a pool task runs again after its worker has died
    "pool-retries", "N", parse_retries, pool_retries(usize) => pool_retries: usize = 0, "0";

    /// Threads that run `def` handlers
    "dispatch-workers", "N", parse_count, dispatch_workers(usize)
        => dispatch_workers: usize = 4, "4";

    /// Processes of `serve`, each with an interpreter, on one listening socket; 0 is the number of cores
    "processes", "N", parse_processes, processes(usize) => processes: usize = 1, "1";

    /// Load the code once in `serve`, and fork its processes, which share the memory. Needs Linux, and
    /// modules that start no threads
    "preload", "", parse_switch, preload(bool) => preload: bool = false;

    /// Requests after which `serve` replaces a process, one process at a time; 0 disables the limit
    "max-requests", "N", parse_number, max_requests(u64) => max_requests: u64 = 0, "0";

    /// Resident memory above which `serve` replaces a process, such as 512MiB; 0 disables the limit
    "max-rss", "SIZE", parse_size, max_rss(usize) => max_rss: usize = 0, "0";

    /// Path that must respond with a status below 400 in each new process of `serve` before it serves
    "smoke", "URL-PATH", parse_url_path, smoke(impl Into<String>) => smoke: Option<String>;

    /// Time that a new process of `serve` may take until it serves; 0 disables the limit
    "start-timeout", "TIME", parse_duration, start_timeout(Duration)
        => start_timeout: Duration = Duration::from_secs(300), "5m";

    /// Time without a sign of life after which `serve` replaces a process; 0 disables the limit
    "hang-timeout", "TIME", parse_duration, hang_timeout(Duration)
        => hang_timeout: Duration = Duration::from_secs(60), "60";

    /// Time between a signal to stop and the end of accepting; the server reports that it is not ready
    "shutdown-delay", "TIME", parse_duration, shutdown_delay(Duration)
        => shutdown_delay: Duration = Duration::ZERO, "0";

    /// Time until a response must start, such as 30 or 500ms; 0 disables the limit
    "request-timeout", "TIME", parse_duration, request_timeout(Duration)
        => request_timeout: Duration = Duration::from_secs(30), "30";

    /// Time that a stopping server gives to requests and streams; 0 disables the limit
    "drain-timeout", "TIME", parse_duration, drain_timeout(Duration)
        => drain_timeout: Option<Duration>, "10, in dev mode 2";

    /// Maximum size of a request body, such as 1048576 or 16MiB
    "max-body-size", "SIZE", parse_size, max_body_size(usize)
        => max_body_size: usize = 16 * 1024 * 1024, "16MiB";

    /// Maximum size of a message that a WebSocket client sends, such as 65536 or 1MiB
    "max-message-size", "SIZE", parse_size, max_message_size(usize)
        => max_message_size: usize = 1024 * 1024, "1MiB";

    /// Maximum size of a body with files, or of one that its handler streams, such as 100MiB
    "max-upload-size", "SIZE", parse_size, max_upload_size(usize)
        => max_upload_size: usize = 1024 * 1024 * 1024, "1GiB";

    /// Maximum number of fields in a form
    "max-form-fields", "N", parse_count, max_form_fields(usize)
        => max_form_fields: usize = 1000, "1000";

    /// Maximum number of files in a form
    "max-files", "N", parse_count, max_files(usize) => max_files: usize = 100, "100";

    /// Maximum size of a request's target and headers in `serve`, such as 16KiB
    "max-header-size", "SIZE", parse_size, max_header_size(usize)
        => max_header_size: usize = 64 * 1024, "64KiB";

    /// Time that a client may take to send a request's target and headers; 0 disables the limit
    "header-timeout", "TIME", parse_duration, header_timeout(Duration)
        => header_timeout: Duration = Duration::from_secs(10), "10";

    /// Interval in which a client must send 1 KiB per second of a request body; 0 disables the limit
    "body-timeout", "TIME", parse_duration, body_timeout(Duration)
        => body_timeout: Duration = Duration::from_secs(30), "30";

    /// Time that a connection may be idle between two requests; 0 disables the limit
    "idle-timeout", "TIME", parse_duration, idle_timeout(Duration)
        => idle_timeout: Duration = Duration::from_secs(60), "60";

    /// Time after which a response is aborted if its client reads nothing; 0 disables the limit
    "send-timeout", "TIME", parse_duration, send_timeout(Duration)
        => send_timeout: Duration = Duration::from_secs(60), "60";

    /// Time without a byte to a client that has shut down its sending side, after which the server
    /// tests whether it still reads; 0 disables the test
    "half-close-timeout", "TIME", parse_duration, half_close_timeout(Duration)
        => half_close_timeout: Duration = Duration::from_secs(5), "5";

    /// Time between two pings of a WebSocket, or of a connection of HTTP/2; a client that is silent for
    /// three times as long is disconnected; 0 disables both
    "ping-interval", "TIME", parse_duration, ping_interval(Duration)
        => ping_interval: Duration = Duration::from_secs(20), "20";

    /// Maximum number of open connections of a process; more wait in the socket's queue; 0 leaves it
    /// to the limit of open files
    "max-connections", "N", parse_connections, max_connections(usize)
        => max_connections: usize = 0, "0";

    /// Maximum number of requests that wait for a dispatch worker
    "max-queue", "N", parse_count, max_queue(usize) => max_queue: usize = 1024, "1024";

    /// Maximum number of hanging handlers whose threads are replaced; beyond it requests that find no
    /// thread are rejected
    "max-stuck", "N", parse_count, max_stuck(usize) => max_stuck: usize = 64, "64";

    /// Origin whose pages may call the server from a browser, such as https://a.example, or * for
    /// any; can be repeated
    "cors-allow-origins", "ORIGIN", parse_origin, cors_allow_origin(impl Into<String>)
        => cors_allow_origins: Vec<String>;

    /// Method that pages of other origins may use; can be repeated
    "cors-allow-methods", "METHOD", parse_method, cors_allow_method(impl Into<String>)
        => cors_allow_methods: Vec<String>, "GET, HEAD, POST, PUT, PATCH and DELETE";

    /// Header that pages of other origins may send; can be repeated
    "cors-allow-headers", "NAME", parse_header, cors_allow_header(impl Into<String>)
        => cors_allow_headers: Vec<String>, "all";

    /// Header of responses that pages of other origins may read; can be repeated
    "cors-expose-headers", "NAME", parse_header, cors_expose_header(impl Into<String>)
        => cors_expose_headers: Vec<String>;

    /// Let pages of other origins send cookies and credentials
    "cors-allow-credentials", "", parse_switch, cors_allow_credentials(bool)
        => cors_allow_credentials: bool = false;

    /// Time that a browser may reuse the response to a preflight request; 0 leaves it to the browser
    "cors-max-age", "TIME", parse_duration, cors_max_age(Duration)
        => cors_max_age: Duration = Duration::ZERO, "0";

    /// Compress responses of text with gzip or brotli
    "compression", "", parse_switch, compression(bool) => compression: bool = false;

    /// Add security headers for sites behind HTTPS: HSTS, and the policies for types, frames and
    /// referrers
    "https-headers", "", parse_switch, https_headers(bool) => https_headers: bool = false;

    /// Path of the OpenAPI document; an empty value disables it and the docs page
    "openapi-url", "URL-PATH", parse_url_path, openapi_url(impl Into<String>)
        => openapi_url: Option<String>, "/openapi.json in dev mode and none in serve";

    /// Path of the page that documents the API; an empty value disables it
    "docs-url", "URL-PATH", parse_url_path, docs_url(impl Into<String>)
        => docs_url: Option<String>, "/docs in dev mode and none in serve";

    /// Write a line for each request to PATH, relative to DIR; to stdout with `-` or without PATH
    "access-log", "[PATH]", parse_log_path, access_log(impl Into<PathBuf>)
        => access_log: Option<PathBuf>;

    /// Format of the access log and of all other logs, text or json; in dev mode json writes the
    /// events of the console to stdout
    "log-format", "FORMAT", parse_log_format, log_format(LogFormat)
        => log_format: LogFormat = LogFormat::Text, "text";

    /// Respond at /healthz while the process runs, and at /readyz while it can take requests
    "health", "", parse_switch, health(bool) => health: bool = false;

    /// Address for Prometheus metrics, such as 127.0.0.1:9464; port 0 takes a free one
    "metrics", "ADDRESS", parse_address, metrics(SocketAddr) => metrics: Option<SocketAddr>;

    /// Host name, in addition to localhost, that dev mode accepts requests for, such as a.example,
    /// *.example or .example; can be repeated
    "allow-host", "NAME", parse_host_pattern, allow_host(impl Into<String>) => allow_hosts: Vec<String>;

    /// Maximum time that a request waits for a reload in dev mode; 0 disables the wait
    "reload-wait", "TIME", parse_duration, reload_wait(Duration)
        => reload_wait: Duration = Duration::from_millis(150), "150ms";

    /// Time after which a reload prints the stack of a module that is still loading
    "import-warning", "TIME", parse_duration, import_warning(Duration)
        => import_warning: Duration = Duration::from_secs(2), "2";

    /// Time after which a reload interrupts a module that is still loading
    "import-timeout", "TIME", parse_duration, import_timeout(Duration)
        => import_timeout: Duration = Duration::from_secs(10), "10";

    /// Directory, in addition to the python dir, whose modules reload on save, relative to DIR;
    /// can be repeated
    "watch", "PATH", parse_text, watch(impl Into<PathBuf>) => watch_dirs: Vec<PathBuf>;

    /// Binary of a Rust program that `dev` builds and runs, instead of the one in DIR that depends on
    /// Snaxum; an empty value runs none
    "cargo-bin", "NAME", parse_text, cargo_bin(impl Into<String>) => cargo_bin: Option<String>;

    /// Argument of the Rust program that `dev` runs; can be repeated
    "cargo-args", "ARG", parse_text, cargo_arg(impl Into<String>) => cargo_args: Vec<String>;

    /// Profile that cargo builds the Rust program of `dev` with
    "cargo-profile", "PROFILE", parse_text, cargo_profile(impl Into<String>)
        => cargo_profile: String = "dev".into(), "dev";

    /// Directory of cargo's builds for `dev`, relative to DIR, such as target/snaxum: editors that build,
    /// too, do not block it
    "cargo-target-dir", "PATH", parse_text, cargo_target_dir(impl Into<PathBuf>)
        => cargo_target_dir: Option<PathBuf>;

    /// Time that a new Rust program of `dev` may take until it has the socket and its modules; 0
    /// disables the limit
    "cargo-start-timeout", "TIME", parse_duration, cargo_start_timeout(Duration)
        => cargo_start_timeout: Duration = Duration::from_secs(30), "30";

    /// Build and run no Rust program in dev mode: serve the Python modules only
    "no-cargo", "", parse_switch, no_cargo(bool) => no_cargo: bool = false;

    /// File of environment variables (KEY=VALUE lines) for the modules, relative to DIR; an empty
    /// value disables it
    "env-file", "PATH", parse_text, env_file(impl Into<PathBuf>)
        => env_file: Option<PathBuf>, ".env, if it exists";

    /// Directory of the templates, relative to DIR
    "templates-dir", "PATH", parse_text, templates_dir(impl Into<PathBuf>)
        => templates_dir: PathBuf = "templates".into(), "templates";

    /// Do not modify HTML pages in dev mode: they do not refresh after a save
    "no-inject", "", parse_switch, no_inject(bool) => no_inject: bool = false;

    /// Do not show load errors and exceptions in HTML pages in dev mode
    "no-overlay", "", parse_switch, no_overlay(bool) => no_overlay: bool = false;

    /// Do not record request and response bodies in dev mode
    "no-capture-bodies", "", parse_switch, no_capture_bodies(bool)
        => no_capture_bodies: bool = false;

    /// Additional name whose values are secrets, such as iban or national-id; can be repeated
    "redact-extra", "NAME", parse_words, redact_extra(impl Into<String>)
        => redact_extra: Vec<String>;

    /// Print the output of user code unchanged in dev mode, without escaping control characters
    "raw-output", "", parse_switch, raw_output(bool) => raw_output: bool = false;
}

impl ServerOptions {
    /// Removes from `lower` where it listens, if these options have another place: `--uds` wins over
    /// a `port` in `pyproject.toml`.
    fn without_replaced(&self, mut lower: Self) -> Self {
        let has_socket = self.uds.is_some() || self.fd.is_some();
        if has_socket || self.host.is_some() || self.port.is_some() {
            (lower.uds, lower.fd) = (None, None);
        }
        if has_socket {
            (lower.host, lower.port) = (None, None);
        }
        lower
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_can_be_set_from_text() {
        for option in OPTIONS {
            let sample = match option.name {
                "host" => "127.0.0.1",
                _ if option.value_name == "ORIGIN" => "https://a.example",
                _ if option.value_name == "ADDRESS" => "127.0.0.1:9464",
                "log-format" => "json",
                _ if option.value_name == "URL-PATH" => "/x",
                "app" => "main:app",
                "interface" => "asgi",
                "loop" => "uvloop",
                "forwarded-allow-ips" | "proxy-protocol" => "10.0.0.0/8",
                "cargo-args" | "cargo-profile" => "x",
                "pool" => "dask",
                _ if option.is_switch() => "true",
                _ if ["PATH", "NAME"].contains(&option.value_name) => "x",
                _ => "7",
            };
            let mut options = ServerOptions::default();
            assert_eq!(options.set(option.name, sample), Ok(()), "{}", option.name);
            assert_ne!(options, ServerOptions::default(), "{}", option.name);
        }
    }

    #[test]
    fn the_first_source_wins_option_by_option() {
        let first = SnaxumConfigBuilder::default().port(1).module("a").options;
        let second = SnaxumConfigBuilder::default().port(2).module("b").max_queue(9).options;
        let both = first.or(second);
        assert_eq!((both.port, both.max_queue), (Some(1), Some(9)));
        assert_eq!(both.modules, ["a"]);
    }
}
