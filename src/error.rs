//! What stops the process, or keeps it from starting.
//!
//! What ends a single request is not here: that is data, [`crate::message::Failure`]. Every text
//! says what, where and the way out.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why Snaxum cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// DIR does not exist or is not a directory.
    #[error("no directory `{}`; pass the directory that holds your `python` directory", .0.display())]
    NoProject(PathBuf),
    /// Something cannot be read.
    #[error("cannot read `{}`: {source}; check its permissions", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The python dir does not exist.
    #[error(
        "no python directory `{}`; create it with a module that has a `@route` function, or name \
         another with `--python-dir` or `python-dir` in [tool.snaxum]", .0.display()
    )]
    NoPythonDir(PathBuf),
    /// The python dir holds nothing to load.
    #[error(
        "no Python module in `{}`; create one, such as `{}`, with a `@route` function \
         (names that start with `_` or `test_` are not loaded)",
        .0.display(), .0.join("app.py").display()
    )]
    NoModule(PathBuf),
    /// A named module is not there.
    #[error("no module `{name}` in `{}`; there is {known}", python_dir.display())]
    UnknownModule {
        /// As configured.
        name: String,
        /// Where it was looked for.
        python_dir: PathBuf,
        /// What is there instead.
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
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// `pyproject.toml` is not TOML.
    #[error("{origin}: {problem}")]
    BadToml {
        /// File and line.
        origin: String,
        /// What the parser said.
        problem: String,
    },
    /// The port is in use.
    #[error("port {} on {} is taken; stop what listens there or choose another with `--port` (0 takes a free one)", .0.port(), .0.ip())]
    PortTaken(SocketAddr),
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}: {source}; choose another with `--host` and `--port`")]
    Listen {
        /// As asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A virtual environment of another Python version.
    #[error(
        "`{}` is of Python {found}, but this program is built for {built}; remove it and let `snaxum \
         dev` make a new one, or build Snaxum with PYO3_PYTHON={}",
        path.display(), path.join("bin/python").display()
    )]
    VenvVersion {
        /// The virtual environment.
        path: PathBuf,
        /// Major and minor version in its `pyvenv.cfg`.
        found: String,
        /// Major and minor version of libpython.
        built: String,
    },
    /// A virtual environment that is damaged.
    #[error("`{}` is no usable virtual environment: {problem}; remove it and let `snaxum dev` make a new one", path.display())]
    VenvBroken {
        /// The virtual environment.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A virtual environment could not be made.
    #[error("cannot make `{}`: {problem}", path.display())]
    VenvSetup {
        /// The virtual environment.
        path: PathBuf,
        /// What went wrong, and the way out.
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
    /// Python did not initialise.
    #[error(
        "Python does not start: {0}; check PYTHONHOME and PYTHONPATH, and that Python's library directory is readable"
    )]
    Interpreter(String),
    /// Two runtimes in one process.
    #[error("a Python runtime is running in this process already; share it by cloning its Arc")]
    SecondRuntime,
    /// No module loaded, outside dev mode.
    #[error("nothing to serve, no module loads:\n{0}")]
    NothingLoads(String),
    /// The runtime thread ended early: a bug in Snaxum.
    #[error("the Python runtime thread ended while starting: {0}; please report this")]
    RuntimeLost(String),
    /// A command that needs a running dev server found none.
    #[error("no dev server is running on `{}`; start one with `snaxum dev`", .0.display())]
    NoServer(PathBuf),
    /// `.snaxum/dev.json` is not as a dev server writes it.
    #[error("`{}` {problem}; remove it, and start `snaxum dev` without `--host`", path.display())]
    BadAnnouncement {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A running dev server has nothing for assistants.
    #[error("the dev server at {0} has no tools for assistants; start it with `snaxum dev --mcp`")]
    NoMcp(String),
    /// A running dev server did not answer.
    #[error(
        "the dev server at {url} does not answer ({problem}); is it hanging? it has the pid {pid}"
    )]
    ServerLost {
        /// As announced in `.snaxum/dev.json`.
        url: String,
        /// Its process.
        pid: u64,
        /// What happened instead.
        problem: String,
    },
    /// An I/O error with a sentence of its own.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// The exit code of the `snaxum` command: 2 for bad usage, 1 where the project is at fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoProject(_) | Self::NoServer(_) | Self::NoMcp(_) => 2,
            Self::BadValue { origin, .. } | Self::UnknownKey { origin, .. }
                if !origin.contains(".toml") =>
            {
                2
            }
            _ => 1,
        }
    }
}
