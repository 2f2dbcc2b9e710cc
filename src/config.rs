//! `SnaxumConfig` and its builder; the one list of options and their names.
//!
//! Builder methods, `[tool.snaxum]` keys, `SNAXUM_*` variables and command-line options are four
//! spellings of this list. Knows what a value must look like, and checks that the python dir is
//! there; never imports anything.

mod values;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;

pub use values::{parse_count, parse_duration, parse_host, parse_port, parse_size};

/// The names of all options, as `[tool.snaxum]` spells them.
pub const OPTION_NAMES: [&str; 13] = [
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
];

/// How a server is set up. Made by [`SnaxumConfig::builder`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnaxumConfig {
    /// The directory that paths are shown from, and that holds `.venv`: DIR of the command line.
    pub project_dir: PathBuf,
    /// Where the user's modules lie; absolute.
    pub python_dir: PathBuf,
    /// What to load; empty means every module and package that is there.
    pub modules: Vec<String>,
    /// Processes of the pool.
    pub pool_workers: usize,
    /// Threads that run `def` handlers.
    pub dispatch_workers: usize,
    /// How long a handler may take until its response begins; zero is no limit.
    pub request_timeout: Duration,
    /// Bytes of a request's body.
    pub max_body_size: usize,
    /// Requests that may wait for a dispatch worker.
    pub max_queue: usize,
    /// The address that the `snaxum` command listens on.
    pub host: IpAddr,
    /// Its port; 0 takes a free one.
    pub port: u16,
    /// Names besides localhost that `Host` may carry in dev mode.
    pub allow_hosts: Vec<String>,
    /// How long a request waits for the reload of what was just saved; zero is not at all.
    pub reload_wait: Duration,
    /// How long a module may load during a reload until its stack is shown.
    pub import_warning: Duration,
    /// And until it is interrupted.
    pub import_timeout: Duration,
    /// Whether to reload on save and to serve the console.
    pub dev: bool,
    /// Whether the runtime only loads the modules, so that somebody can look at the routes.
    pub load_only: bool,
    /// The number of the first generation; more than 1 after a process that made room for this.
    pub first_generation: u64,
}

impl SnaxumConfig {
    /// Starts from the defaults.
    pub fn builder() -> SnaxumConfigBuilder {
        SnaxumConfigBuilder::default()
    }
}

/// Collects options; what is not set keeps its default.
#[derive(Clone, Debug, Default)]
pub struct SnaxumConfigBuilder {
    project_dir: Option<PathBuf>,
    dev: bool,
    load_only: bool,
    first_generation: Option<u64>,
    options: Options,
}

impl SnaxumConfigBuilder {
    /// Names the directory of the user's modules. Default: `./python`.
    pub fn python_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.python_dir = Some(path.into());
        self
    }

    /// Names the directory that holds `.venv` and that paths are shown from. Default: the parent
    /// of the python dir.
    pub fn project_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.project_dir = Some(path.into());
        self
    }

    /// Loads this module, and of all others only those named too. Default: every module and
    /// package in the python dir but those whose name starts with `_` or `test_`, and `conftest`.
    pub fn module(mut self, name: impl Into<String>) -> Self {
        self.options.modules.push(name.into());
        self
    }

    /// Sets the number of pool processes. Default: the number of cores.
    pub fn pool_workers(mut self, count: usize) -> Self {
        self.options.pool_workers = Some(count);
        self
    }

    /// Sets the number of threads for `def` handlers. Default: 4.
    pub fn dispatch_workers(mut self, count: usize) -> Self {
        self.options.dispatch_workers = Some(count);
        self
    }

    /// Limits the time until a response begins; zero is no limit. Default: 30 s.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.options.request_timeout = Some(limit);
        self
    }

    /// Limits a request's body, in bytes. Default: 16 MiB.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.options.max_body_size = Some(bytes);
        self
    }

    /// Limits how many requests wait for a dispatch worker. Default: 1024.
    pub fn max_queue(mut self, requests: usize) -> Self {
        self.options.max_queue = Some(requests);
        self
    }

    /// Sets the address for [`crate::server`]. Default: 127.0.0.1.
    pub fn host(mut self, host: IpAddr) -> Self {
        self.options.host = Some(host);
        self
    }

    /// Sets the port for [`crate::server`]; 0 takes a free one. Default: 3000.
    pub fn port(mut self, port: u16) -> Self {
        self.options.port = Some(port);
        self
    }

    /// Accepts this name in the `Host` header in dev mode, besides localhost.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.options.allow_hosts.push(name.into());
        self
    }

    /// Limits how long a request waits, in dev mode, for the reload of what was just saved; zero is
    /// not at all. Default: 150 ms.
    pub fn reload_wait(mut self, limit: Duration) -> Self {
        self.options.reload_wait = Some(limit);
        self
    }

    /// Shows the stack of a module that loads for longer during a reload. Default: 2 s.
    pub fn import_warning(mut self, limit: Duration) -> Self {
        self.options.import_warning = Some(limit);
        self
    }

    /// Interrupts a module that loads for longer during a reload; the last good code serves on.
    /// Default: 10 s.
    pub fn import_timeout(mut self, limit: Duration) -> Self {
        self.options.import_timeout = Some(limit);
        self
    }

    /// Turns dev mode on: reload on save, console, tracebacks. Default: off.
    pub fn dev(mut self, on: bool) -> Self {
        self.dev = on;
        self
    }

    /// Loads the modules to look at what they hold: no pool worker is started. Default: off.
    pub fn load_only(mut self, on: bool) -> Self {
        self.load_only = on;
        self
    }

    /// Counts generations from `number` on, for a process that takes over from another. Default: 1.
    pub fn first_generation(mut self, number: u64) -> Self {
        self.first_generation = Some(number);
        self
    }

    /// Sets many options at once; those set before win.
    pub fn options(mut self, options: Options) -> Self {
        self.options = self.options.or(options);
        self
    }

    /// Checks everything that can be checked without running Python.
    ///
    /// # Errors
    ///
    /// A value out of range, no python dir, no module in it, or a named module that is not there.
    pub fn build(self) -> Result<SnaxumConfig, Error> {
        let options = self.options;
        let at_least_one = |name, value: Option<usize>, default| match value {
            Some(0) => Err(bad_value("builder", name, "0; it must be at least 1")),
            other => Ok(other.unwrap_or(default)),
        };
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let python_dir = absolute(&options.python_dir.unwrap_or_else(|| PathBuf::from("python")))?;
        if !python_dir.is_dir() {
            return Err(Error::NoPythonDir(python_dir));
        }
        check_modules(&python_dir, &options.modules)?;
        let parent = || python_dir.parent().unwrap_or(&python_dir).to_owned();
        Ok(SnaxumConfig {
            project_dir: self.project_dir.map_or_else(|| Ok(parent()), |dir| absolute(&dir))?,
            modules: options.modules,
            pool_workers: at_least_one("pool-workers", options.pool_workers, cores)?,
            dispatch_workers: at_least_one("dispatch-workers", options.dispatch_workers, 4)?,
            request_timeout: options.request_timeout.unwrap_or(Duration::from_secs(30)),
            max_body_size: options.max_body_size.unwrap_or(16 * 1024 * 1024),
            max_queue: at_least_one("max-queue", options.max_queue, 1024)?,
            host: options.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port: options.port.unwrap_or(3000),
            allow_hosts: options.allow_hosts,
            reload_wait: options.reload_wait.unwrap_or(Duration::from_millis(150)),
            import_warning: options.import_warning.unwrap_or(Duration::from_secs(2)),
            import_timeout: options.import_timeout.unwrap_or(Duration::from_secs(10)),
            dev: self.dev,
            load_only: self.load_only,
            first_generation: self.first_generation.unwrap_or(1),
            python_dir,
        })
    }
}

/// Options as one source gives them: each may be missing.
#[derive(Clone, Debug, Default)]
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
}

impl Options {
    /// Fills what is missing here from `other`.
    pub fn or(self, other: Self) -> Self {
        let either = |mine: Vec<String>, theirs| if mine.is_empty() { theirs } else { mine };
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
        }
    }

    /// Sets one option from text; `module` and `allow-host` collect.
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
            _ => unreachable!("the caller took the name from OPTION_NAMES"),
        }
        Ok(())
    }
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

pub(crate) fn bad_value(origin: &str, name: &'static str, problem: impl Into<String>) -> Error {
    Error::BadValue { origin: origin.to_owned(), name, problem: problem.into() }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    // Not canonicalised: a symlinked python dir keeps the name that the user knows it by.
    let absolute = std::path::absolute(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    // `absolute` keeps `a/../b`, and Python would not find modules below such a name.
    Ok(absolute.components().fold(PathBuf::new(), |mut clean, part| {
        match part {
            std::path::Component::ParentDir => drop(clean.pop()),
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
        clean
    }))
}

fn check_modules(python_dir: &Path, named: &[String]) -> Result<(), Error> {
    let found = modules_in(python_dir)?;
    for name in named {
        let path = python_dir.join(name.replace('.', "/"));
        if !path.is_dir() && !path.with_extension("py").is_file() {
            return Err(Error::UnknownModule {
                name: name.clone(),
                python_dir: python_dir.to_owned(),
                known: if found.is_empty() { "none".to_owned() } else { found.join(", ") },
            });
        }
    }
    if named.is_empty() && found.is_empty() {
        return Err(Error::NoModule(python_dir.to_owned()));
    }
    Ok(())
}

/// Lists what would load by itself, by the same rule as `_reload.roots.discover` in Python.
fn modules_in(python_dir: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |source| Error::Unreadable { path: python_dir.to_owned(), source };
    let mut names: Vec<String> = std::fs::read_dir(python_dir)
        .map_err(unreadable)?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let path = entry.path();
            let module = path.extension().is_some_and(|suffix| suffix == "py") && path.is_file();
            let package = path.join("__init__.py").is_file();
            let name = path.file_stem()?.to_str()?.to_owned();
            let named = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            let hidden =
                name.starts_with(['_', '.']) || name.starts_with("test_") || name == "conftest";
            ((module || package) && named && !hidden).then_some(name)
        })
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_name_can_be_set_from_text() {
        let sample = |name: &str| match name {
            "host" => "127.0.0.1",
            "python-dir" | "module" | "allow-host" => "x",
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

    #[test]
    fn a_python_dir_written_with_dots_is_made_plain() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("python")).expect("a directory");
        std::fs::write(dir.path().join("python/app.py"), "").expect("a file");
        let config = SnaxumConfig::builder()
            .python_dir(dir.path().join("python/../python/./"))
            .build()
            .expect("a valid configuration");
        assert_eq!(config.python_dir, dir.path().join("python"));
        assert_eq!(config.project_dir, dir.path());
    }
}
