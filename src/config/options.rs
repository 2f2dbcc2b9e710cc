//! The one list of options: their names, their values as text, and which source wins.
//!
//! Builder methods, `[tool.snaxum]` keys, `SNAXUM_*` variables and command-line options are four
//! spellings of this list. Knows what a value must look like; sets no default.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::values::{
    parse_count, parse_duration, parse_host, parse_port, parse_size, parse_switch, parse_words,
};

/// The names of all options, as `[tool.snaxum]` spells them.
pub const OPTION_NAMES: [&str; 20] = [
    "host",
    "port",
    "python-dir",
    "module",
    "pool-workers",
    "dispatch-workers",
    "request-timeout",
    "max-body-size",
    "max-queue",
    "allow-host",
    "reload-wait",
    "import-warning",
    "import-timeout",
    "watch",
    "env-file",
    "no-inject",
    "no-overlay",
    "no-capture-bodies",
    "redact-extra",
    "raw-output",
];

/// The options that are on or off; on the command line their name alone turns them on.
pub const SWITCHES: [&str; 4] = ["no-inject", "no-overlay", "no-capture-bodies", "raw-output"];

/// The options that may be given more than once.
pub const COLLECTING: [&str; 4] = ["module", "allow-host", "watch", "redact-extra"];

/// Options as one source gives them: each may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// `host`
    pub host: Option<IpAddr>,
    /// `port`
    pub port: Option<u16>,
    /// `python-dir`
    pub python_dir: Option<PathBuf>,
    /// `module`
    pub modules: Vec<String>,
    /// `pool-workers`
    pub pool_workers: Option<usize>,
    /// `dispatch-workers`
    pub dispatch_workers: Option<usize>,
    /// `request-timeout`
    pub request_timeout: Option<Duration>,
    /// `max-body-size`
    pub max_body_size: Option<usize>,
    /// `max-queue`
    pub max_queue: Option<usize>,
    /// `allow-host`
    pub allow_hosts: Vec<String>,
    /// `reload-wait`
    pub reload_wait: Option<Duration>,
    /// `import-warning`
    pub import_warning: Option<Duration>,
    /// `import-timeout`
    pub import_timeout: Option<Duration>,
    /// `watch`
    pub watch: Vec<PathBuf>,
    /// `env-file`; empty is none
    pub env_file: Option<PathBuf>,
    /// `no-inject`
    pub no_inject: Option<bool>,
    /// `no-overlay`
    pub no_overlay: Option<bool>,
    /// `no-capture-bodies`
    pub no_capture_bodies: Option<bool>,
    /// `redact-extra`
    pub redact_extra: Vec<String>,
    /// `raw-output`
    pub raw_output: Option<bool>,
}

impl Options {
    /// Fills what is missing here from `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            host: self.host.or(other.host),
            port: self.port.or(other.port),
            python_dir: self.python_dir.or(other.python_dir),
            modules: either(self.modules, other.modules),
            pool_workers: self.pool_workers.or(other.pool_workers),
            dispatch_workers: self.dispatch_workers.or(other.dispatch_workers),
            request_timeout: self.request_timeout.or(other.request_timeout),
            max_body_size: self.max_body_size.or(other.max_body_size),
            max_queue: self.max_queue.or(other.max_queue),
            allow_hosts: either(self.allow_hosts, other.allow_hosts),
            reload_wait: self.reload_wait.or(other.reload_wait),
            import_warning: self.import_warning.or(other.import_warning),
            import_timeout: self.import_timeout.or(other.import_timeout),
            watch: either(self.watch, other.watch),
            env_file: self.env_file.or(other.env_file),
            no_inject: self.no_inject.or(other.no_inject),
            no_overlay: self.no_overlay.or(other.no_overlay),
            no_capture_bodies: self.no_capture_bodies.or(other.no_capture_bodies),
            redact_extra: either(self.redact_extra, other.redact_extra),
            raw_output: self.raw_output.or(other.raw_output),
        }
    }

    /// Sets one option from text; those of [`COLLECTING`] add to what is there.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the value, to stand after "`name` is". The name must be one of
    /// [`OPTION_NAMES`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "host" => self.host = Some(parse_host(value)?),
            "port" => self.port = Some(parse_port(value)?),
            "python-dir" => self.python_dir = Some(PathBuf::from(value)),
            "module" => self.modules.push(value.to_owned()),
            "pool-workers" => self.pool_workers = Some(parse_count(value)?),
            "dispatch-workers" => self.dispatch_workers = Some(parse_count(value)?),
            "request-timeout" => self.request_timeout = Some(parse_duration(value)?),
            "max-body-size" => self.max_body_size = Some(parse_size(value)?),
            "max-queue" => self.max_queue = Some(parse_count(value)?),
            "allow-host" => self.allow_hosts.push(value.to_owned()),
            "reload-wait" => self.reload_wait = Some(parse_duration(value)?),
            "import-warning" => self.import_warning = Some(parse_duration(value)?),
            "import-timeout" => self.import_timeout = Some(parse_duration(value)?),
            "watch" => self.watch.push(PathBuf::from(value)),
            "env-file" => self.env_file = Some(PathBuf::from(value)),
            "no-inject" => self.no_inject = Some(parse_switch(value)?),
            "no-overlay" => self.no_overlay = Some(parse_switch(value)?),
            "no-capture-bodies" => self.no_capture_bodies = Some(parse_switch(value)?),
            "redact-extra" => self.redact_extra.push(parse_words(value)?),
            "raw-output" => self.raw_output = Some(parse_switch(value)?),
            _ => unreachable!("the caller took the name from OPTION_NAMES"),
        }
        Ok(())
    }
}

fn either<T>(mine: Vec<T>, theirs: Vec<T>) -> Vec<T> {
    if mine.is_empty() { theirs } else { mine }
}

/// Names the known option nearest to `key`, or all of them.
pub fn nearest_option(key: &str) -> String {
    let key = key.replace('_', "-");
    let nearest = OPTION_NAMES
        .iter()
        .map(|name| (strsim::damerau_levenshtein(name, &key), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(2));
    match nearest {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("known are {}", OPTION_NAMES.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_name_can_be_set_from_text() {
        let sample = |name: &str| match name {
            "host" => "127.0.0.1",
            "python-dir" | "module" | "allow-host" | "watch" | "env-file" | "redact-extra" => "x",
            _ if SWITCHES.contains(&name) => "true",
            _ => "7",
        };
        for name in OPTION_NAMES {
            assert_eq!(Options::default().set(name, sample(name)), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_misspelt_key_names_its_nearest_neighbour() {
        assert_eq!(nearest_option("prot"), "did you mean `port`?");
        assert_eq!(nearest_option("pool_worker"), "did you mean `pool-workers`?");
        assert!(nearest_option("colour-of-the-sky-at-night").starts_with("known are host"));
    }
}
