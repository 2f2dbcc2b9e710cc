//! `SnaxumConfig` and its builder: how a server is set up, with every default.
//!
//! Checks that the python dir is there and holds modules; never imports anything.

mod modules;
mod options;
mod values;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;

pub use options::{COLLECTING, OPTION_NAMES, Options, SWITCHES, nearest_option};
pub use values::{
    parse_count, parse_duration, parse_host, parse_port, parse_size, parse_switch, parse_words,
};

/// Where the modules' environment variables come from when nobody names another file. It may be
/// missing, and come later.
pub const ENV_FILE: &str = ".env";

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
    /// Directories besides the python dir whose modules are the user's too; absolute.
    pub watch_dirs: Vec<PathBuf>,
    /// A file of environment variables (`KEY=VALUE`), which the modules see; absolute.
    pub env_file: Option<PathBuf>,
    /// Whether dev mode leaves the user's pages as they are.
    pub no_inject: bool,
    /// Whether what it adds to them shows nothing.
    pub no_overlay: bool,
    /// Whether dev mode keeps no bodies.
    pub no_capture_bodies: bool,
    /// Words that name a secret besides those that are known: what they name is masked.
    pub redact_extra: Vec<String>,
    /// Whether what code prints in dev mode reaches the terminal as it is.
    pub raw_output: bool,
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

    /// Takes modules below this directory, too, for the user's: they reload on save. For code that
    /// lies elsewhere, such as an editable install; importing it is up to `sys.path`.
    pub fn watch(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.watch.push(directory.into());
        self
    }

    /// Sets the variables of this file (`KEY=VALUE` lines, as in `.env`) in `os.environ` before any
    /// module runs, and again when it is saved in dev mode. What the process's own environment
    /// holds stays. Default: none; the `snaxum` command takes `.env` of the project, if it is there.
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.env_file = Some(path.into());
        self
    }

    /// Leaves HTML pages as they are in dev mode: they do not load anew by themselves after a save.
    /// Default: off.
    pub fn no_inject(mut self, on: bool) -> Self {
        self.options.no_inject = Some(on);
        self
    }

    /// Shows nothing in the pages in dev mode when a save does not load or a handler raises.
    /// Default: off.
    pub fn no_overlay(mut self, on: bool) -> Self {
        self.options.no_overlay = Some(on);
        self
    }

    /// Keeps no bodies in dev mode, neither of requests nor of answers. Default: off.
    pub fn no_capture_bodies(mut self, on: bool) -> Self {
        self.options.no_capture_bodies = Some(on);
        self
    }

    /// Masks values of such a name, too, wherever dev mode shows them: `iban`, or `national-id`, where
    /// the words follow one another. `NationalId` and `x-national-id` are such names.
    pub fn redact_extra(mut self, words: impl Into<String>) -> Self {
        self.options.redact_extra.push(words.into());
        self
    }

    /// Passes on what code prints in dev mode as it is, control characters included, instead of
    /// escaping what could steer the terminal. Default: off.
    pub fn raw_output(mut self, on: bool) -> Self {
        self.options.raw_output = Some(on);
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
    /// A value out of range, no python dir, no module in it, or a named module, directory or file
    /// that is not there.
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
        modules::check(&python_dir, &options.modules)?;
        let parent = || python_dir.parent().unwrap_or(&python_dir).to_owned();
        let project_dir = self.project_dir.map_or_else(|| Ok(parent()), |dir| absolute(&dir))?;
        let below = |path: &Path| absolute(&project_dir.join(path));
        let watch_dirs: Vec<_> =
            options.watch.iter().map(|dir| below(dir)).collect::<Result<_, _>>()?;
        check_paths(&watch_dirs, "watch", Path::is_dir)?;
        let named = options.env_file.filter(|path| !path.as_os_str().is_empty());
        let env_file = named.as_deref().map(below).transpose()?;
        if named.is_some_and(|path| path != Path::new(ENV_FILE)) {
            check_paths(&env_file, "env-file", Path::is_file)?;
        }
        for words in &options.redact_extra {
            parse_words(words).map_err(|why| bad_value("options", "redact-extra", why))?;
        }
        Ok(SnaxumConfig {
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
            watch_dirs,
            env_file,
            no_inject: options.no_inject.unwrap_or(false),
            no_overlay: options.no_overlay.unwrap_or(false),
            no_capture_bodies: options.no_capture_bodies.unwrap_or(false),
            redact_extra: options.redact_extra,
            raw_output: options.raw_output.unwrap_or(false),
            project_dir,
            dev: self.dev,
            load_only: self.load_only,
            first_generation: self.first_generation.unwrap_or(1),
            python_dir,
        })
    }
}

/// Refuses a path that is not what it should be.
fn check_paths<'a>(
    paths: impl IntoIterator<Item = &'a PathBuf>,
    option: &'static str,
    is_right: fn(&Path) -> bool,
) -> Result<(), Error> {
    match paths.into_iter().find(|path| !is_right(path)) {
        Some(path) => {
            let problem = format!("`{}`, which is not there", path.display());
            Err(bad_value("options", option, problem))
        }
        None => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

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
