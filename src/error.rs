//! The errors that stop the process, or prevent its start.
//!
//! An error of a single request is data, [`crate::message::ErrorResponse`]. Every text states what failed,
//! where, and what to do.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::build_info;

/// Why Snaxum cannot start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// DIR does not exist or is not a directory.
    #[error("no directory `{}`; pass the directory that contains your `python` directory", .0.display())]
    NoProject(PathBuf),
    /// A path that Python and the console could not show.
    #[error("the path `{}` is not UTF-8; rename the directory or file", .0.display())]
    NotUtf8(PathBuf),
    /// Something cannot be read.
    #[error("cannot read `{}`: {source}; check its permissions", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The python dir does not exist.
    #[error(
        "no python directory `{}`; create it with a module that has a `@route` function, or name \
         another with `--python-dir` or `python-dir` in [tool.snaxum]", .0.display()
    )]
    NoPythonDir(PathBuf),
    /// The python dir has no module to load.
    #[error(
        "no Python module in `{}`; create one, such as `{}`, with a `@route` function \
         (names that start with `_` or `test_` are not loaded)",
        .0.display(), .0.join("app.py").display()
    )]
    NoModule(PathBuf),
    /// The Rust program of a project cannot be found or built.
    #[error("{0}")]
    RustProgram(String),
    /// A configured module does not exist.
    #[error("no module `{name}` in `{}`; there is {known}", python_dir.display())]
    UnknownModule {
        /// As configured.
        name: String,
        /// The directory that was searched.
        python_dir: PathBuf,
        /// The modules in it.
        known: String,
    },
    /// A key that is not an option.
    #[error("{origin}: unknown key `{key}`; {hint}")]
    UnknownKey {
        /// File and line.
        origin: String,
        /// As written.
        key: String,
        /// The nearest known key, or all of them.
        hint: String,
    },
    /// An option's value is out of its range.
    #[error("{origin}: `{name}` is {problem}")]
    BadValue {
        /// File and line, variable or builder.
        origin: String,
        /// The option.
        name: &'static str,
        /// The fault, and the valid values.
        problem: String,
    },
    /// `pyproject.toml` is not TOML.
    #[error("{origin}: {problem}")]
    BadToml {
        /// File and line.
        origin: String,
        /// The error of the parser.
        problem: String,
    },
    /// The port is in use.
    #[error("port {} on {} is taken; stop the other program or choose another port with `--port` (0 chooses a free one)", .0.port(), .0.ip())]
    PortTaken(SocketAddr),
    /// The address is not available for another reason.
    #[error("cannot listen on {address}: {source}; choose another with `--host` and `--port`")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// A Unix socket cannot be listened on.
    #[error("cannot listen on `{}`: {problem}", path.display())]
    UnixSocket {
        /// As configured.
        path: PathBuf,
        /// The fault, and the way out.
        problem: String,
    },
    /// A certificate or its key cannot be used.
    #[error("cannot use `{}` for TLS: {problem}", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// The fault, and the way out.
        problem: String,
    },
    /// The metrics address is in use, or not available for another reason.
    #[error(
        "cannot serve metrics on {address}: {source}; stop the other program, or choose another address with `--metrics` (port 0 chooses a free one)"
    )]
    MetricsAddress {
        /// As configured.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// A process of a production server whose program was replaced while it ran.
    #[error(
        "snaxum {} cannot join the processes of another version; run `snaxum reload`, or restart \
         the server",
        env!("CARGO_PKG_VERSION")
    )]
    OtherVersion,
    /// The parent of a production server cannot continue what the program before it has left.
    #[error("cannot take the server over from another program: {0}")]
    TakeOver(String),
    /// The access log cannot be opened.
    #[error("cannot write the access log `{}`: {source}; choose a file that you can write to with `--access-log`, or `-` for stdout", path.display())]
    AccessLog {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A virtual environment of another Python version.
    #[error(
        "`{}` is of Python {found}, but {}", path.display(), way_out_of_version(path, built)
    )]
    VenvVersion {
        /// The virtual environment.
        path: PathBuf,
        /// Major and minor version in its `pyvenv.cfg`.
        found: String,
        /// Major and minor version of this program's Python.
        built: String,
    },
    /// A virtual environment that is damaged.
    #[error("`{}` is not a usable virtual environment: {problem}; remove it and run `snaxum sync`", path.display())]
    VenvBroken {
        /// The virtual environment.
        path: PathBuf,
        /// The missing part.
        problem: String,
    },
    /// A virtual environment could not be created.
    #[error("cannot create `{}`: {problem}", path.display())]
    VenvSetup {
        /// The virtual environment.
        path: PathBuf,
        /// The fault, and how to fix it.
        problem: String,
    },
    /// The loaded libpython has another minor version than the headers.
    #[error(
        "the libpython that was loaded is {loaded}, but this program is built for {built}; check \
         LD_LIBRARY_PATH, or give the binary the rpath of its libpython (see \"Find libpython\" in docs/embed.md)"
    )]
    LibpythonVersion {
        /// `Py_GetVersion()`.
        loaded: String,
        /// At build time.
        built: String,
    },
    /// The loaded libpython and its standard library are of different releases.
    #[error(
        "libpython {loaded} was loaded ({}), but the standard library of `{}` is of Python \
         {library}; run the program with the libpython that it is built for ({built}): give it an \
         rpath by this `build.rs`, or unset LD_LIBRARY_PATH\n\n    fn main() {{\n        \
         let directory = std::env::var(\"DEP_SNAXUM_LIBPYTHON_DIR\").expect(\"snaxum exports it\");\n        \
         println!(\"cargo:rustc-link-arg-bins=-Wl,-rpath,{{directory}}\");\n    }}",
        file.display(), python.display()
    )]
    LibpythonRelease {
        /// `Py_GetVersion()`.
        loaded: String,
        /// The file of the loaded libpython.
        file: PathBuf,
        /// The release of the standard library.
        library: String,
        /// The interpreter that the standard library belongs to.
        python: PathBuf,
        /// At build time.
        built: String,
    },
    /// Python did not initialise.
    #[error(
        "Python does not start: {0}; check PYTHONHOME and PYTHONPATH, and that Python's library directory is readable"
    )]
    Interpreter(String),
    /// Two runtimes in one process.
    #[error("a Python runtime is running in this process already; share it by cloning its Arc")]
    SecondRuntime,
    /// No module loaded, outside dev mode.
    #[error("nothing to serve: no module loads; fix them and start again:\n{0}")]
    NothingLoads(String),
    /// The runtime thread ended early: a bug in Snaxum.
    #[error("the Python runtime thread ended while starting: {0}; please report this")]
    RuntimeLost(String),
    /// A command that needs a running dev server found none.
    #[error("no dev server is running on `{}`; start one with `snaxum dev`", .0.display())]
    NoServer(PathBuf),
    /// A production server of the same project.
    #[error(
        "process {pid} serves `{}` already: `snaxum reload` makes it load new code, SIGTERM stops it; a \
         second server needs a copy of the project", path.display()
    )]
    ServerRunning {
        /// The directory of the project.
        path: PathBuf,
        /// The parent of its processes.
        pid: String,
    },
    /// A command that needs the metrics of a running server found no address.
    #[error("no server with a metrics address is running on `{}`; start one with `snaxum serve --metrics 127.0.0.1:0`", .0.display())]
    NoMetrics(PathBuf),
    /// The metrics address that a server has announced is not of the loopback interface.
    #[error(
        "the metrics address is {0}, which is not one of 127.0.0.1; run `snaxum top {0}` to connect to it"
    )]
    RemoteMetrics(String),
    /// The metrics address did not respond.
    #[error(
        "the metrics address {address} does not respond ({problem}); check that its server is running"
    )]
    MetricsLost {
        /// As announced or given.
        address: String,
        /// The reason.
        problem: String,
    },
    /// `.snaxum/dev.json` is not valid.
    #[error("`{}` {problem}; remove it, and start `snaxum dev` without `--host`", path.display())]
    BadDevFile {
        /// The file.
        path: PathBuf,
        /// The fault.
        problem: String,
    },
    /// A running dev server has no MCP tools.
    #[error("the dev server at {0} has no tools for assistants; start it with `snaxum dev --mcp`")]
    NoMcp(String),
    /// A running dev server did not respond.
    #[error(
        "the dev server at {url} does not respond ({problem}); restart it (pid {pid}) if it hangs"
    )]
    ServerLost {
        /// As announced in `.snaxum/dev.json`.
        url: String,
        /// Its process.
        pid: u64,
        /// The reason.
        problem: String,
    },
    /// `snaxum new` cannot use this name or directory.
    #[error("cannot create `{}`: {problem}", path.display())]
    NewProject {
        /// As given.
        path: PathBuf,
        /// The reason, and the way out.
        problem: String,
    },
    /// A new file cannot be written.
    #[error("cannot write `{}`: {source}; choose a directory that you can write to", path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// An I/O error with a sentence of its own.
    #[error("{what}: {source}")]
    Io {
        /// The operation that failed, and its object.
        what: String,
        /// The error of the system.
        source: io::Error,
    },
}

impl Error {
    /// Adds the operation that failed, and its object, to an error of the system.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }

    /// The exit code of the `snaxum` command: 2 for bad usage, 1 where the project is at fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoProject(_)
            | Self::NewProject { .. }
            | Self::NoServer(_)
            | Self::NoMcp(_)
            | Self::NoMetrics(_)
            | Self::RemoteMetrics(_)
            | Self::ServerRunning { .. } => 2,
            Self::BadValue { origin, .. } | Self::UnknownKey { origin, .. }
                if !origin.contains(".toml") =>
            {
                2
            }
            _ => 1,
        }
    }
}

/// Describes the Python that an environment must have, and the ways to get it.
fn way_out_of_version(environment: &Path, built: &str) -> String {
    if build_info::is_hosted() {
        return format!(
            "`{}` is of {built}; remove it and run `snaxum sync`, or install snaxum there and start \
             it from there",
            build_info::python()
        );
    }
    format!(
        "this program is built for {built}; remove it and run `snaxum sync`, or build Snaxum with \
         PYO3_PYTHON={}",
        environment.join("bin/python").display()
    )
}
