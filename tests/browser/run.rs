//! Runs the browser tests: installs what they need below `tests/browser`, then calls Playwright.
//!
//! Chromium is the system's; where there is none, `install-chromium` gets Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn run(command: &mut Command) {
    let status = command.current_dir(here()).status().expect("node, npm and sh are on PATH");
    assert!(status.success(), "{command:?} ended with {status}");
}

#[test]
fn the_console_works_in_a_real_browser() {
    run(Command::new("sh").arg("install-chromium"));
    let lock = std::fs::read(here().join("package-lock.json")).expect("checked in");
    let stamp = here().join("node_modules/.installed-lock");
    if std::fs::read(&stamp).ok().as_deref() != Some(&lock) {
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"));
        std::fs::write(&stamp, lock).expect("npm made the directory");
    }
    run(Command::new("npx")
        .args(["--no-install", "playwright", "test"])
        .env("SNAXUM_BIN", env!("CARGO_BIN_EXE_snaxum")));
}
