//! `SnaxumConfig` and its builder: how a server is configured.
//!
//! Checks that the python dir exists and contains modules; never imports one. The options
//! themselves are declared in `options.rs`.

mod cors;
mod declaration;
mod listening;
mod logs;
mod modules;
mod option_names;
mod option_places;
mod options;
mod removed;
mod server_process;
mod trusted_peers;
mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::crash_record::CrashRecord;
use crate::error::Error;
use crate::supervision::BuilderLink;

pub(crate) use cors::check as check_cors;
pub use declaration::OptionSpec;
pub use logs::LogFormat;
pub(crate) use logs::exports_spans;
pub use option_names::{nearest_option, option_named};
pub use option_places::OptionPlaces;
pub use options::{OPTIONS, ServerOptions, SnaxumConfig, SnaxumConfigBuilder};
pub use removed::replacement;
pub use server_process::ServerProcess;
pub use trusted_peers::TrustedPeers;
pub use values::{
    parse_count, parse_duration, parse_host, parse_port, parse_size, parse_switch, parse_words,
};

/// How long a stopping server waits for requests and streams.
const DRAIN: Duration = Duration::from_secs(10);
/// The same in dev mode, where a person waits.
const DEV_DRAIN: Duration = Duration::from_secs(2);

/// The default file of environment variables. It may be missing and created later.
pub const ENV_FILE: &str = ".env";

impl SnaxumConfig {
    /// Starts from the defaults.
    pub fn builder() -> SnaxumConfigBuilder {
        SnaxumConfigBuilder::default()
    }

    /// How long a stopping server waits for requests and streams.
    pub fn drain_limit(&self) -> Duration {
        let default = if self.dev { DEV_DRAIN } else { DRAIN };
        match self.drain_timeout.unwrap_or(default) {
            Duration::ZERO => Duration::MAX,
            limit => limit,
        }
    }

    /// The number of processes that serve.
    pub fn process_count(&self) -> usize {
        if self.processes == 0 { values::cores() } else { self.processes }
    }

    /// The path of the OpenAPI document; empty if the server has none.
    pub fn openapi_path(&self) -> &str {
        let has_docs = self.docs_url.as_deref().is_some_and(|url| !url.is_empty());
        let default = if self.dev || has_docs { "/openapi.json" } else { "" };
        self.openapi_url.as_deref().unwrap_or(default)
    }

    /// The path of the page that shows it; empty if the server has none.
    pub fn docs_path(&self) -> &str {
        if self.openapi_path().is_empty() {
            return "";
        }
        let default = if self.dev { "/docs" } else { "" };
        self.docs_url.as_deref().unwrap_or(default)
    }

    /// Whether requests are recorded for the access log, the metrics, the ids in a JSON log, or spans.
    pub(crate) fn is_recorded(&self) -> bool {
        let has_log = self.access_log.as_ref().is_some_and(|path| !path.as_os_str().is_empty());
        let has_json_log = self.log_format == LogFormat::Json && !self.dev;
        has_log || has_json_log || self.metrics.is_some() || exports_spans()
    }

    /// The process to signal: this one, or the process that starts it again after a crash.
    pub fn server_pid(&self) -> u32 {
        self.crash_record.as_ref().map_or_else(std::process::id, |record| record.server_pid())
    }
}

impl SnaxumConfigBuilder {
    /// Sets the directory that contains `.venv` and that paths are shown from. Default: the parent
    /// of the python dir.
    pub fn project_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.project_dir = Some(path.into());
        self
    }

    /// Turns dev mode on: reload on save, console, tracebacks. Default: off. It is always on in a program
    /// that `snaxum dev` runs.
    pub fn dev(mut self, on: bool) -> Self {
        self.dev = on;
        self
    }

    /// Loads the modules only to inspect them: starts no pool worker. Default: off.
    pub fn load_only(mut self, on: bool) -> Self {
        self.load_only = on;
        self
    }

    /// Sets the number of the first generation, for a restarted process. Default: 1.
    pub fn first_generation(mut self, number: u64) -> Self {
        self.first_generation = Some(number);
        self
    }

    /// Records the requests and the stack for the process that reports a crash of this one. Default:
    /// no record.
    pub fn crash_record(mut self, record: CrashRecord) -> Self {
        self.crash_record = Some(Arc::new(record));
        self
    }

    /// Sets the place of this process in its server. Default: it is the only one.
    pub fn process(mut self, process: ServerProcess) -> Self {
        self.process = process;
        self
    }

    /// Sets several options at once; options that are already set win.
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = self.options.or(options);
        self
    }

    /// Names the file and the line of options, for errors. Default: none is from a file.
    pub fn places(mut self, places: OptionPlaces) -> Self {
        self.places = places;
        self
    }

    /// Applies the defaults, for a process that loads no modules: needs no python dir, and checks no file.
    pub fn build_without_modules(self) -> SnaxumConfig {
        let project_dir = self.project_dir.unwrap_or_default();
        SnaxumConfig { dev: self.dev, places: self.places, ..self.options.into_config(project_dir) }
    }

    /// Checks everything that can be checked without running Python.
    ///
    /// # Errors
    ///
    /// A value out of range, a missing python dir or one without modules, or a named module,
    /// directory or file that does not exist.
    pub fn build(self) -> Result<SnaxumConfig, Error> {
        let (mut options, places) = (self.options, self.places);
        let bad = |(name, problem)| bad_value(places.of(name), name, problem);
        let python_dir = options.python_dir.as_deref().unwrap_or(Path::new("python"));
        let python_dir = absolute(python_dir)?;
        check_utf8(&python_dir)?;
        if !python_dir.is_dir() {
            return Err(Error::NoPythonDir(python_dir));
        }
        modules::check(&python_dir, &options.modules).map_err(|error| match error {
            Error::UnknownModule { name, python_dir, known } if options.app.is_some() => {
                let known = format!("{known}; `--app-dir` names another directory");
                Error::UnknownModule { name, python_dir, known }
            }
            other => other,
        })?;
        let project_dir = match self.project_dir {
            Some(dir) => absolute(&dir)?,
            None => python_dir.parent().unwrap_or(&python_dir).to_owned(),
        };
        check_utf8(&project_dir)?;
        options.python_dir = Some(python_dir);

        for dir in &mut options.watch_dirs {
            *dir = absolute(&project_dir.join(&*dir))?;
            check_utf8(dir)?;
            check_exists(dir, "watch", Path::is_dir).map_err(bad)?;
        }
        options.env_file = options.env_file.filter(|path| !path.as_os_str().is_empty());
        if let Some(path) = &mut options.env_file {
            let is_default = path == Path::new(ENV_FILE);
            *path = absolute(&project_dir.join(&*path))?;
            check_utf8(path)?;
            check_exists(path, "env-file", |path| is_default || path.is_file()).map_err(bad)?;
        }
        let templates_dir = options.templates_dir.as_deref();
        let is_default = templates_dir.is_none();
        let templates_dir = templates_dir.unwrap_or(Path::new("templates"));
        let templates_dir = absolute(&project_dir.join(templates_dir))?;
        check_utf8(&templates_dir)?;
        check_exists(&templates_dir, "templates-dir", |path| is_default || path.is_dir())
            .map_err(bad)?;
        options.templates_dir = Some(templates_dir);
        listening::check(&options).map_err(bad)?;
        let paths = [&mut options.uds, &mut options.tls_cert, &mut options.tls_key];
        for path in paths.into_iter().flatten() {
            *path = absolute(&project_dir.join(&*path))?;
        }
        for words in &options.redact_extra {
            parse_words(words).map_err(|problem| bad(("redact-extra", problem)))?;
        }
        cors::check(&options).and_then(|()| cors::check_has_origins(&options)).map_err(bad)?;

        let mut config = options.into_config(project_dir);
        for (name, count) in [
            ("pool-workers", config.pool_workers),
            ("dispatch-workers", config.dispatch_workers),
            ("max-queue", config.max_queue),
            ("max-stuck", config.max_stuck),
        ] {
            if count == 0 {
                return Err(bad_value("builder", name, "0; it must be at least 1"));
            }
        }
        let builder = BuilderLink::get();
        config.dev = self.dev || builder.is_some();
        if !config.docs_path().is_empty() && config.docs_path() == config.openapi_path() {
            let problem = format!("`{}`, which is `openapi-url`, too", config.docs_path());
            return Err(bad(("docs-url", problem)));
        }
        config.load_only = self.load_only;
        let next = builder.map_or(1, |builder| builder.start().generation + 1);
        config.first_generation = self.first_generation.unwrap_or(next);
        config.crash_record = match (self.crash_record, builder) {
            (None, Some(builder)) => crash_record_of(builder)?,
            (given, _) => given,
        };
        config.process = self.process;
        config.places = places;
        Ok(config)
    }
}

/// Maps the file for a crash that the builder has given, unless another configuration has it.
fn crash_record_of(builder: &BuilderLink) -> Result<Option<Arc<CrashRecord>>, Error> {
    let Some(file) = builder.take_crash_record() else { return Ok(None) };
    let record = CrashRecord::open(file, builder.builder());
    record.map(Arc::new).map(Some).map_err(Error::io("cannot map a file"))
}

fn check_exists(
    path: &Path,
    option: &'static str,
    is_right: impl Fn(&Path) -> bool,
) -> Result<(), (&'static str, String)> {
    if is_right(path) {
        return Ok(());
    }
    Err((option, format!("`{}`, which does not exist", path.display())))
}

/// Python gets the path as text, and so does the console.
fn check_utf8(path: &Path) -> Result<(), Error> {
    path.to_str().map(drop).ok_or_else(|| Error::NotUtf8(path.to_owned()))
}

pub(crate) fn bad_value(origin: &str, name: &'static str, problem: impl Into<String>) -> Error {
    Error::BadValue { origin: origin.to_owned(), name, problem: problem.into() }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    // Not canonicalised: the user knows a symlinked python dir by its link.
    let absolute = std::path::absolute(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    // `absolute` preserves `a/../b`, and Python would not find modules below such a name.
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
    fn a_python_dir_with_dots_is_normalized() {
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
