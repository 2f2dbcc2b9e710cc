//! Runs the browser tests: installs their npm packages in `tests/browser`, then starts Playwright.
//!
//! Uses the system's Chromium; `install-chromium` installs Debian's if there is none. Checks nothing itself.

use std::path::{Path, PathBuf};
use std::process::Command;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn run(command: &mut Command) {
    let status = command.current_dir(directory()).status().expect("node, npm and sh are on PATH");
    assert!(status.success(), "{command:?} failed: {status}");
}

#[test]
fn the_console_works_in_a_real_browser() {
    run(Command::new("sh").arg("install-chromium"));
    let lock =
        std::fs::read(directory().join("package-lock.json")).expect("it is in the repository");
    let stamp = directory().join("node_modules/.installed-lock");
    if std::fs::read(&stamp).ok().as_deref() != Some(&lock) {
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"));
        std::fs::write(&stamp, lock).expect("npm created the directory");
    }
    run(Command::new("npx")
        .args(["--no-install", "playwright", "test"])
        .env("SNAXUM_BIN", env!("CARGO_BIN_EXE_snaxum")));
}
