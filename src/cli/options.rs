//! The server's options as command-line flags.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use snaxum::config::{self, Options};

/// One flag an option of [`config::OPTION_NAMES`]; `[tool.snaxum]` and `SNAXUM_*` share the names.
#[derive(Args)]
#[command(next_help_heading = "Server options, also keys of [tool.snaxum] and SNAXUM_* variables")]
pub(crate) struct ServerOptions {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "IP", value_parser = config::parse_host)]
    host: Option<IpAddr>,
    /// Port to listen on; 0 takes a free one [default: 3000]
    #[arg(long, value_parser = config::parse_port)]
    port: Option<u16>,
    /// Directory of the user's modules, relative to DIR [default: python]
    #[arg(long, value_name = "PATH")]
    python_dir: Option<PathBuf>,
    /// Module to load; may be repeated [default: all but _*, test_* and conftest]
    #[arg(long, value_name = "NAME")]
    module: Vec<String>,
    /// Processes of the pool [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = config::parse_count)]
    pool_workers: Option<usize>,
    /// Threads that run `def` handlers [default: 4]
    #[arg(long, value_name = "N", value_parser = config::parse_count)]
    dispatch_workers: Option<usize>,
    /// Time until a response must begin, such as 30 or 500ms; 0 is no limit [default: 30]
    #[arg(long, value_name = "TIME", value_parser = config::parse_duration)]
    request_timeout: Option<Duration>,
    /// Largest body of a request, such as 1048576 or 16MiB [default: 16MiB]
    #[arg(long, value_name = "SIZE", value_parser = config::parse_size)]
    max_body_size: Option<usize>,
    /// Requests that may wait for a dispatch worker [default: 1024]
    #[arg(long, value_name = "N", value_parser = config::parse_count)]
    max_queue: Option<usize>,
    /// Name besides localhost that requests may be addressed to in dev mode; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Time that a request waits for the reload of what was just saved; 0 is not at all
    /// [default: 150ms]
    #[arg(long, value_name = "TIME", value_parser = config::parse_duration)]
    reload_wait: Option<Duration>,
    /// Time until the stack of a module that loads during a reload is shown [default: 2]
    #[arg(long, value_name = "TIME", value_parser = config::parse_duration)]
    import_warning: Option<Duration>,
    /// Time until such a module is interrupted [default: 10]
    #[arg(long, value_name = "TIME", value_parser = config::parse_duration)]
    import_timeout: Option<Duration>,
    /// Directory besides the python dir whose modules reload too, relative to DIR; may be repeated
    #[arg(long, value_name = "PATH")]
    watch: Vec<PathBuf>,
    /// File of environment variables for the modules, relative to DIR; empty is none
    /// [default: .env, if it is there]
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,
    /// Leave HTML pages as they are in dev mode: they do not load anew after a save
    #[arg(long)]
    no_inject: bool,
    /// Show nothing in pages in dev mode when a save does not load or a handler raises
    #[arg(long)]
    no_overlay: bool,
    /// Keep no bodies in dev mode, neither of requests nor of answers
    #[arg(long)]
    no_capture_bodies: bool,
    /// Name whose values are secrets, besides passwords, tokens and the like, such as iban or
    /// national-id; may be repeated
    #[arg(long, value_name = "NAME", value_parser = config::parse_words)]
    redact_extra: Vec<String>,
    /// Pass on what code prints in dev mode as it is, instead of escaping control characters other
    /// than the colours of a terminal
    #[arg(long)]
    raw_output: bool,
}

impl From<ServerOptions> for Options {
    fn from(flags: ServerOptions) -> Self {
        let mut options = Self::default();
        options.host = flags.host;
        options.port = flags.port;
        options.python_dir = flags.python_dir;
        options.modules = flags.module;
        options.pool_workers = flags.pool_workers;
        options.dispatch_workers = flags.dispatch_workers;
        options.request_timeout = flags.request_timeout;
        options.max_body_size = flags.max_body_size;
        options.max_queue = flags.max_queue;
        options.allow_hosts = flags.allow_host;
        options.reload_wait = flags.reload_wait;
        options.import_warning = flags.import_warning;
        options.import_timeout = flags.import_timeout;
        options.watch = flags.watch;
        options.env_file = flags.env_file;
        options.no_inject = flags.no_inject.then_some(true);
        options.no_overlay = flags.no_overlay.then_some(true);
        options.no_capture_bodies = flags.no_capture_bodies.then_some(true);
        options.redact_extra = flags.redact_extra;
        options.raw_output = flags.raw_output.then_some(true);
        options
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    #[test]
    fn every_option_has_a_flag_of_its_name() {
        let command = super::ServerOptions::augment_args(Command::new("x"));
        let flags: Vec<&str> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
        assert_eq!(flags, snaxum::config::OPTION_NAMES);
    }
}
