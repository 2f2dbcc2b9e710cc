//! The project's `.venv`: finds it without activation, checks it, and creates a missing one.
//!
//! Never imports from it. Never changes one that another tool has made, except by `sync` and for the link
//! that lets editors and tests find the framework's types (`link_framework`), and never removes one that
//! Snaxum is installed in.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::build_info;
use crate::error::Error;
use crate::framework;
use crate::project::{self, Project};
use crate::state_dir::StateDir;

/// A virtual environment of this program's Python version.
#[derive(Clone, Debug)]
pub struct Venv {
    /// The directory, usually `.venv`.
    pub root: PathBuf,
}

// In `.snaxum` while the environment is being created: an incomplete one is created again.
const UNFINISHED: &str = "venv-unfinished";
// The package that this program has inside.
const OWN: &str = "snaxum";
/// An override that no Python meets: uv leaves out the package.
const WITHOUT_OWN: &str = "snaxum; python_version < '3'\n";

impl Venv {
    /// Finds `.venv` in `project_dir`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// It is damaged, or of another Python version than this program.
    pub fn find(project_dir: &Path) -> Result<Option<Self>, Error> {
        let root = project_dir.join(".venv");
        if !root.exists() {
            return Ok(None);
        }
        if build_info::is_own_environment(&root) {
            return Ok(Some(Self { root }));
        }
        let broken = |problem: String| Error::VenvBroken { path: root.clone(), problem };
        let settings = fs::read_to_string(root.join("pyvenv.cfg"))
            .map_err(|error| broken(format!("its pyvenv.cfg cannot be read ({error})")))?;
        let found = setting(&settings, "version")
            .or_else(|| setting(&settings, "version_info"))
            .ok_or_else(|| broken("its pyvenv.cfg names no version".into()))?;
        let (found, built) = (minor(found), minor(build_info::python_version()));
        if found != built {
            return Err(Error::VenvVersion { path: root, found, built });
        }
        let venv = Self { root: root.clone() };
        if !venv.python().exists() {
            return Err(broken(format!("`{}` does not exist", venv.python().display())));
        }
        Ok(Some(venv))
    }

    /// The same for a program that runs the project. An extension module runs without an environment
    /// that it cannot use, and gets a warning: its user has chosen the interpreter.
    pub(crate) fn find_to_run(project_dir: &Path) -> Result<(Option<Self>, Option<String>), Error> {
        let problem = match Self::find(project_dir) {
            Err(Error::VenvVersion { found, built, .. }) if build_info::is_hosted() => {
                format!("it is of Python {found}, but `{}` is of {built}", build_info::python())
            }
            Err(Error::VenvBroken { problem, .. }) if build_info::is_hosted() => problem,
            found => return found.map(|venv| (venv, None)),
        };
        let warning = format!(
            "the packages of `{}` are not used: {problem}; install snaxum there and start it from \
             there, or remove it",
            project_dir.join(".venv").display()
        );
        Ok((None, Some(warning)))
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.root.join("bin").join("python")
    }

    /// The directory of its packages.
    pub fn site_packages(&self) -> PathBuf {
        let python = format!("python{}", minor(build_info::python_version()));
        self.root.join("lib").join(python).join("site-packages")
    }
}

/// Finds the project's `.venv`, or creates it if the project has dependencies. Passes a line per step
/// to `report`; the installer's own progress goes to stderr. An extension module creates none: its
/// user has chosen the interpreter.
///
/// # Errors
///
/// The errors of [`Venv::find`]; a failure of the installer.
pub fn ensure(project: &Project, report: &dyn Fn(&str)) -> Result<Option<Venv>, Error> {
    if build_info::is_hosted() {
        return Ok(None);
    }
    create(project, report)
}

/// Finds the project's `.venv`, or creates it.
fn create(project: &Project, report: &dyn Fn(&str)) -> Result<Option<Venv>, Error> {
    let root = project.root.join(".venv");
    // An environment that is being created has its mark first. A finished one needs no lock: the
    // directory may be read-only.
    let is_there = root.exists() && !project.root.join(".snaxum").join(UNFINISHED).exists();
    if is_there || packages(project).is_empty() {
        return Venv::find(&project.root);
    }
    let (state, _alone) = lock(&project.root)?;
    if is_unfinished(&state, &root) {
        report("the last setup of .venv was cut short; starting over");
        remove(&root)?;
    }
    if !root.exists() {
        make(project, &root, &state, report)?;
    }
    Venv::find(&project.root)
}

/// Updates `.venv` to the project's dependencies; creates it if it is missing.
///
/// # Errors
///
/// The errors of [`ensure`].
pub fn sync(project: &Project, report: &dyn Fn(&str)) -> Result<Option<Venv>, Error> {
    let root = project.root.join(".venv");
    if root.exists()
        && let (state, _alone) = lock(&project.root)?
        && !is_unfinished(&state, &root)
        && let Some(venv) = Venv::find(&project.root)?
    {
        // By its own interpreter: for another one of the same version uv would make it again.
        install(project, &venv.root, &state, &venv.python(), has_uv())?;
        if state.contains(UNFINISHED) {
            end_setup(&state)?;
        }
        report(".venv is up to date");
        return Ok(Some(venv));
    }
    create(project, report)
}

/// Writes the framework's Python files to `.snaxum/python`, and a `.pth` file into `venv` that
/// points there: editors, type checkers and tests then find `snaxum` without an install. The server
/// itself runs the files in the binary.
///
/// # Errors
///
/// A part of `.snaxum` is a symbolic link, or cannot be written.
pub fn link_framework(project_dir: &Path, venv: Option<&Venv>) -> Result<(), Error> {
    if build_info::is_hosted() {
        return Ok(()); // it is installed
    }
    let write = || -> io::Result<PathBuf> {
        let state = StateDir::create(project_dir)?;
        let package = state.subdirectory("python")?.subdirectory("snaxum")?;
        for (name, text) in framework::sources() {
            package.write_if_different(&name, text.as_bytes())?;
        }
        Ok(state.path_of("python"))
    };
    let python =
        write().map_err(|source| io_error("cannot write", &project_dir.join(".snaxum"), source))?;
    let line = [python.as_os_str().as_bytes(), b"\n"].concat();
    let link = venv.map(|venv| venv.site_packages().join("snaxum-dev.pth"));
    if let Some(link) = link.filter(|link| fs::read(link).ok().as_ref() != Some(&line))
        && let Err(error) = fs::write(&link, &line)
    {
        // Only editors and tests need it.
        tracing::warn!(
            "editors cannot find the module `snaxum`: cannot write {}: {error}",
            link.display()
        );
    }
    Ok(())
}

/// Whether an environment is the rest of a setup that was cut short. One with Snaxum is the user's by
/// now: `sync` completes it, and nothing removes it.
fn is_unfinished(state: &StateDir, root: &Path) -> bool {
    state.contains(UNFINISHED) && !has_snaxum(root)
}

/// Whether Snaxum is installed in an environment, or runs in it.
fn has_snaxum(root: &Path) -> bool {
    let venv = Venv { root: root.to_owned() };
    build_info::is_own_environment(root) || venv.site_packages().join("snaxum").is_dir()
}

/// Waits until no other process creates the environment of this project.
fn lock(project_dir: &Path) -> Result<(StateDir, fs::File), Error> {
    let take = || {
        let state = StateDir::create(project_dir)?;
        let file = state.open_lock("venv.lock")?;
        file.lock()?;
        Ok((state, file))
    };
    let path = project_dir.join(".snaxum").join("venv.lock");
    take().map_err(|source| io_error("cannot lock", &path, source))
}

fn make(
    project: &Project,
    root: &Path,
    state: &StateDir,
    report: &dyn Fn(&str),
) -> Result<(), Error> {
    let python = build_python(root)?;
    let started = std::time::Instant::now();
    let uv = has_uv();
    let tool = if uv { "uv" } else { "venv and pip" };
    report(&format!(
        "no .venv yet: creating one with {tool} for {} ({})",
        packages(project).join(", "),
        python.display()
    ));
    let result = fill(project, root, state, &python, uv);
    if result.is_err() {
        remove(root)?; // the next start would use the incomplete one
        end_setup(state)?; // the next environment there is another tool's
    } else {
        report(&format!(".venv is ready after {:.1} s", started.elapsed().as_secs_f64()));
    }
    result
}

fn fill(
    project: &Project,
    root: &Path,
    state: &StateDir,
    python: &Path,
    uv: bool,
) -> Result<(), Error> {
    state
        .write_if_different(UNFINISHED, b"unfinished\n")
        .map_err(|source| io_error("cannot write", &state.path_of(UNFINISHED), source))?;
    if !uv {
        run(Command::new(python).args(["-m", "venv"]).arg(root), root)?;
    }
    install(project, root, state, python, uv)?; // uv also creates the environment
    end_setup(state)
}

/// Removes the mark of a setup that has not ended.
fn end_setup(state: &StateDir) -> Result<(), Error> {
    let removed = state.remove(UNFINISHED);
    removed.map_err(|source| io_error("cannot remove", &state.path_of(UNFINISHED), source))
}

fn install(
    project: &Project,
    root: &Path,
    state: &StateDir,
    python: &Path,
    uv: bool,
) -> Result<(), Error> {
    let packages = packages(project);
    let has_own = packages.len() < project.dependencies.len();
    if packages.is_empty() && (has_own || !uv) {
        return Ok(());
    }
    if uv && has_own && !project.root.join("uv.lock").exists() {
        return install_by_uv(project, root, state, python);
    }
    if uv {
        let mut command = Command::new("uv");
        command.arg("sync").env("UV_PROJECT_ENVIRONMENT", root).arg("--python").arg(python);
        if build_info::is_hosted() || has_snaxum(root) {
            // Without it uv removes the packages that `pyproject.toml` does not name, such as Snaxum.
            command.arg("--inexact");
        }
        if has_own {
            command.args(["--no-install-package", OWN]);
        }
        return run(command.current_dir(&project.root), root);
    }
    let venv = Venv { root: root.to_owned() };
    let mut command = if venv.site_packages().join("pip").is_dir() {
        Command::new(venv.python())
    } else {
        Command::new(build_python(root)?) // uv creates environments without pip
    };
    command.args(["-m", "pip", "--python"]).arg(venv.python());
    command.args(["install", "--disable-pip-version-check"]);
    run(command.args(packages).current_dir(&project.root), root)
}

/// Installs what `pyproject.toml` names and is not in this program: `uv sync` would need an index
/// with it. Reads `[tool.uv]` too, which may name a source of a package.
fn install_by_uv(
    project: &Project,
    root: &Path,
    state: &StateDir,
    python: &Path,
) -> Result<(), Error> {
    if !root.exists() {
        let mut command = Command::new("uv");
        run(command.args(["venv", "--quiet", "--python"]).arg(python).arg(root), root)?;
    }
    let without_own = state.path_of("uv-override.txt");
    state
        .write_if_different("uv-override.txt", WITHOUT_OWN.as_bytes())
        .map_err(|source| io_error("cannot write", &without_own, source))?;
    let mut command = Command::new("uv");
    command.args(["pip", "install", "--python"]).arg(root.join("bin").join("python"));
    command.args(["-r", "pyproject.toml", "--override"]).arg(without_own);
    if project.has_dev_group {
        command.args(["--group", "dev"]);
    }
    run(command.current_dir(&project.root), root)
}

/// The packages to install: a binary has this one inside.
fn packages(project: &Project) -> Vec<&str> {
    let is_inside =
        |requirement: &str| !build_info::is_hosted() && project::package_of(requirement) == OWN;
    let requirements = project.dependencies.iter().map(String::as_str);
    requirements.filter(|requirement| !is_inside(requirement)).collect()
}

/// Whether uv is on PATH.
pub fn has_uv() -> bool {
    Command::new("uv").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs an installer with its output on our stderr: stdout is for the output of the command.
fn run(command: &mut Command, root: &Path) -> Result<(), Error> {
    let line = format!("{command:?}").replace('"', "");
    let setup = |problem| Error::VenvSetup { path: root.to_owned(), problem };
    let status = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(|error| setup(format!("`{line}` does not start ({error})")))?;
    if status.success() {
        return Ok(());
    }
    let hint = if line.contains("-m venv") {
        "; on Debian run `apt-get install python3-venv`, or install uv"
    } else {
        "; see its message above, then start again"
    };
    Err(setup(format!("`{line}` ended with {status}{hint}")))
}

/// The interpreter for a new environment.
fn build_python(root: &Path) -> Result<PathBuf, Error> {
    let named = PathBuf::from(build_info::python());
    if named.exists() {
        return Ok(named);
    }
    let wanted = format!("python{}", minor(build_info::python_version()));
    let found = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|dir| dir.join(&wanted)).find(|file| file.is_file())
    });
    found.ok_or_else(|| Error::VenvSetup {
        path: root.to_owned(),
        problem: format!("no {wanted} on PATH; install it, or create the environment yourself"),
    })
}

fn setting<'a>(settings: &'a str, key: &str) -> Option<&'a str> {
    settings.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })
}

/// `3.11` of `3.11.7`.
pub(crate) fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn remove(root: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(root) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(io_error("cannot remove", root, source))
        }
        _ => Ok(()),
    }
}

fn io_error(what: &str, path: &Path, source: io::Error) -> Error {
    Error::Io { what: format!("{what} `{}`", path.display()), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build_info::BUILD_VERSION;

    fn venv_of(version_line: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(dir.path().join(".venv/bin")).expect("directories");
        fs::write(dir.path().join(".venv/bin/python"), "").expect("a file");
        fs::write(dir.path().join(".venv/pyvenv.cfg"), format!("home = /x\n{version_line}\n"))
            .expect("a file");
        dir
    }

    #[test]
    fn a_project_without_a_venv_has_none() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(Venv::find(dir.path()).expect("no error").is_none());
    }

    #[test]
    fn a_venv_of_this_python_is_found_for_every_tool_that_makes_it() {
        for key in ["version", "version_info"] {
            let dir = venv_of(&format!("{key} = {BUILD_VERSION}"));
            assert!(Venv::find(dir.path()).expect("no error").is_some(), "{key}");
        }
    }

    #[test]
    fn processes_that_start_at_the_same_moment_share_the_state_directory() {
        for _ in 0..100 {
            let project = tempfile::tempdir().expect("a temporary directory");
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                let together = || {
                    start.wait();
                    lock(project.path()).map(drop)
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(together)).collect();
                for thread in threads {
                    thread.join().expect("it does not panic").expect("a lock");
                }
            });
        }
    }

    #[test]
    fn a_venv_of_another_python_is_an_error_that_names_both_versions() {
        let dir = venv_of("version = 3.7.1");
        let message = Venv::find(dir.path()).expect_err("another version").to_string();
        assert!(message.contains("is of Python 3.7,") && message.contains(&minor(BUILD_VERSION)));
    }
}
