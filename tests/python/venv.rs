//! The virtual environment with the packages of the Python tests. It is below `target/`, and made again when
//! its requirements change.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use snaxum::build_info::{BUILD_PYTHON, BUILD_VERSION};

const UV: &str = "uv==0.13.9";

/// Returns its interpreter.
pub(crate) fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| environment("python", "tests/python/requirements.txt")).clone()
}

/// Returns the interpreter of an environment of this name.
pub(crate) fn environment(name: &str, requirements: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted = fs::read(root.join(requirements)).expect("checked in");
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{BUILD_VERSION}"));
    let stamp = venv.join("requirements.installed");
    let python = venv.join("bin/python");
    // Other processes with such a test wait until it is complete.
    let lock = File::create(format!("{}.lock", venv.display())).expect("it is ours");
    lock.lock().expect("the file system has locks");
    if fs::read(&stamp).ok().as_deref() != Some(&wanted) {
        run(Command::new(BUILD_PYTHON).args(["-m", "venv", "--clear"]).arg(&venv));
        install(&python, &root.join(requirements));
        fs::write(&stamp, wanted).expect("the environment is ours");
    }
    python
}

/// Installs by uv, in a fifth of pip's time; by pip where uv does not reach an index, since it does not
/// read pip's configuration.
fn install(python: &Path, requirements: &Path) {
    let pip = |arguments: &[&str]| {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        command.args(arguments);
        command
    };
    run(&mut pip(&[UV]));
    let mut uv = Command::new(python);
    uv.args(["-m", "uv", "pip", "install", "--quiet", "--python"]).arg(python);
    if !uv.arg("-r").arg(requirements).status().is_ok_and(|status| status.success()) {
        run(pip(&["--no-compile", "-r"]).arg(requirements));
    }
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} ended with {status}");
}
