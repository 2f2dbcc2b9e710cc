//! One run of `cargo build`: its errors, its warnings, the crates that it compiles, and the binary.
//!
//! Reads cargo's messages on threads of their own. Decides nothing, and starts no program.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use snaxum::config::SnaxumConfig;
use snaxum::message::{CompiledCrate, ModuleFailure, Traceback, ms};
use snaxum::sync::Mutex;

use super::diagnostic::{Diagnostic, SourcePlaces};
use super::grouped_process::GroupedProcess;
use super::package::{RustPackage, cargo, no_cargo};

/// The most bytes of cargo's own output that an error shows.
const MAX_PRINTED: usize = 16 * 1024;
/// The most errors that are converted.
const MAX_ERRORS: usize = 50;
/// The start of the line by which cargo reports that another cargo builds in the same directory.
const BLOCKED: &str = "Blocking waiting for file lock";

/// A running build. Dropping it ends it.
pub(super) struct Build {
    process: GroupedProcess,
    pub(super) began: Instant,
}

/// A report of a build.
pub(super) enum BuildEvent {
    /// A line that cargo has printed.
    Line(String),
    /// Another cargo has locked the directory of the builds.
    Blocked,
    /// It has ended.
    Ended(Box<BuildOutput>),
}

/// The result of a build.
#[derive(Debug, Default)]
pub(super) struct BuildOutput {
    /// The binary; `None` after an error.
    pub(super) executable: Option<PathBuf>,
    /// The errors, under the names of their crates.
    pub(super) failures: Vec<ModuleFailure>,
    /// The errors as rustc prints them.
    pub(super) rendered: String,
    pub(super) warnings: u32,
    pub(super) crates: Vec<CompiledCrate>,
    pub(super) took: Duration,
    /// Where the program finds the libraries that build scripts have made, as with `cargo run`.
    pub(super) libraries: Vec<PathBuf>,
}

impl Build {
    /// Starts cargo. `send` is called for each event, the last of which is its end.
    pub(super) fn start(
        package: &RustPackage,
        config: &SnaxumConfig,
        send: impl Fn(BuildEvent) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let mut command = cargo(&package.root);
        command.args(["build", "--bin", &package.binary, "--profile", &config.cargo_profile]);
        command.args(["--message-format", "json-diagnostic-rendered-ansi"]);
        command.arg("--manifest-path").arg(&package.manifest);
        if let Some(directory) = &config.cargo_target_dir {
            command.arg("--target-dir").arg(package.root.join(directory));
        }
        let began = Instant::now();
        let (ended, end) = mpsc::channel::<()>();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = GroupedProcess::spawn(command, Vec::new(), move || drop(ended))?;
        let child = process.child_mut();
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let started = Arc::new(Mutex::new(HashMap::new()));
        let send = Arc::new(send);
        let lines = thread::Builder::new().name("cargo-lines".into()).spawn({
            let (started, send) = (Arc::clone(&started), Arc::clone(&send));
            move || read_lines(stderr, &started, &*send)
        })?;
        let places = package.places();
        let mut reader = BuildReader {
            binary: package.binary.clone(),
            places,
            started,
            output: BuildOutput::default(),
            has_failed: false,
        };
        thread::Builder::new().name("cargo-messages".into()).spawn(move || {
            reader.read(BufReader::new(stdout));
            let printed = lines.join().unwrap_or_default();
            let _ = end.recv(); // an error: it has ended
            send(BuildEvent::Ended(Box::new(reader.finish(&printed, began.elapsed()))));
        })?;
        Ok(Self { process, began })
    }

    /// Sends a signal to cargo and the compilers.
    pub(super) fn signal(&self, signal: i32) {
        self.process.signal_group(signal);
    }
}

/// The time when cargo began with each package.
type Started = Mutex<HashMap<String, Instant>>;

/// Reads what cargo prints for people; returns the end of it.
fn read_lines(stderr: impl io::Read, started: &Started, send: &dyn Fn(BuildEvent)) -> String {
    let mut printed = String::new();
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let words = line.trim_start();
        if let Some(rest) = words.strip_prefix("Compiling ")
            && let Some(name) = rest.split(' ').next()
        {
            started.lock().insert(name.to_owned(), Instant::now());
        }
        if words.starts_with(BLOCKED) {
            send(BuildEvent::Blocked);
        }
        printed.push_str(&line);
        printed.push('\n');
        if printed.len() > 2 * MAX_PRINTED {
            let cut = printed.len() - MAX_PRINTED;
            let cut = (cut..).find(|at| printed.is_char_boundary(*at)).unwrap_or(cut);
            printed.drain(..cut);
        }
        send(BuildEvent::Line(line));
    }
    printed
}

/// A line of cargo's stdout.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum CargoMessage {
    CompilerMessage {
        target: MessageTarget,
        message: Box<Diagnostic>,
    },
    CompilerArtifact {
        package_id: String,
        target: MessageTarget,
        fresh: bool,
        executable: Option<PathBuf>,
    },
    BuildScriptExecuted {
        linked_paths: Vec<String>,
    },
    BuildFinished {
        success: bool,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
    kind: Vec<String>,
}

struct BuildReader {
    binary: String,
    places: SourcePlaces,
    started: Arc<Started>,
    output: BuildOutput,
    has_failed: bool,
}

impl BuildReader {
    fn read(&mut self, stdout: impl BufRead) {
        self.has_failed = true; // until it reports success
        for line in stdout.split(b'\n').map_while(Result::ok) {
            // Build scripts and compilers may print other lines.
            if let Ok(message) = serde_json::from_slice(&line) {
                self.add(message);
            }
        }
    }

    fn add(&mut self, message: CargoMessage) {
        let output = &mut self.output;
        match message {
            CargoMessage::CompilerMessage { target, message } => {
                output.warnings += u32::from(message.is_warning());
                let is_counted = !message.is_summary() && output.failures.len() < MAX_ERRORS;
                if message.is_error() && is_counted {
                    output.rendered += message.rendered.as_deref().unwrap_or_default();
                    let traceback = message.to_traceback(&target.name, &self.places);
                    let module = target.name;
                    output.failures.push(ModuleFailure { module, importers: vec![], traceback });
                }
            }
            CargoMessage::CompilerArtifact { package_id, target, fresh, executable } => {
                let is_binary = target.kind.iter().any(|kind| kind == "bin");
                if is_binary && target.name == self.binary {
                    output.executable = executable;
                }
                let began = self.started.lock().get(package_name(&package_id)).copied();
                if let (false, Some(began)) = (fresh, began) {
                    let ms = ms(began.elapsed());
                    output.crates.push(CompiledCrate { name: target.name, ms });
                }
            }
            CargoMessage::BuildScriptExecuted { linked_paths } => {
                let paths =
                    linked_paths.iter().map(|path| path.split_once('=').map_or(&**path, |it| it.1));
                output.libraries.extend(paths.map(PathBuf::from));
            }
            CargoMessage::BuildFinished { success } => self.has_failed = !success,
            CargoMessage::Other => {}
        }
    }

    fn finish(mut self, printed: &str, took: Duration) -> BuildOutput {
        self.output.took = took;
        if self.has_failed || self.output.executable.is_none() {
            self.output.executable = None;
            if self.output.failures.is_empty() {
                let traceback = failure_of_cargo(printed);
                self.output.rendered = format!("{}\n", traceback.text);
                let module = self.binary;
                self.output.failures.push(ModuleFailure { module, importers: vec![], traceback });
            }
        }
        self.output.libraries = match self.output.executable.as_deref().and_then(Path::parent) {
            Some(profile) => library_dirs(profile, &self.output.libraries),
            None => Vec::new(),
        };
        self.output
    }
}

/// Lists the directories of libraries for a program in `profile`: the same as with `cargo run`.
fn library_dirs(profile: &Path, linked: &[PathBuf]) -> Vec<PathBuf> {
    let target = profile.parent().unwrap_or(profile);
    let made = linked.iter().filter(|directory| directory.starts_with(target));
    made.cloned().chain([profile.join("deps"), profile.to_owned()]).collect()
}

impl BuildOutput {
    /// The result of a cargo that does not start.
    pub(super) fn not_started(binary: &str, error: &io::Error) -> Self {
        let message = no_cargo(error).to_string();
        let (kind, text) = ("cargo".to_owned(), message.clone());
        let traceback = Traceback { kind, message, text, ..Traceback::default() };
        let module = binary.to_owned();
        let failures = vec![ModuleFailure { module, importers: vec![], traceback }];
        Self { failures, ..Self::default() }
    }
}

/// The package of an id such as `path+file:///p/shop#0.1.0` or `registry+https://a#serde@1.0.0`.
fn package_name(id: &str) -> &str {
    let (place, version) = id.rsplit_once('#').unwrap_or(("", id));
    match version.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or_default(),
    }
}

/// Describes a build that failed without an error of a compiler: a broken manifest, a build script.
fn failure_of_cargo(printed: &str) -> Traceback {
    let text = console::strip_ansi_codes(printed);
    let is_error = |line: &&str| line.starts_with("error");
    let error = text.lines().find(is_error).unwrap_or("error: cargo has ended");
    let message = error.split_once(": ").map_or(error, |(_, message)| message).to_owned();
    // The lines before are of crates that it has built.
    let start = text.find(error).unwrap_or(0);
    let text = text[start..].trim_end().to_owned();
    Traceback { kind: "cargo".to_owned(), message, text, ..Traceback::default() }
}

impl RustPackage {
    /// The directories that the names of files are relative to.
    pub(super) fn places(&self) -> SourcePlaces {
        let (workspace, root) = (self.workspace.clone(), self.root.clone());
        SourcePlaces { workspace, root, crates: self.crates.clone() }
    }
}

/// Lists the files that the last build of a binary has read: cargo writes them to a file beside it. Leaves out
/// the files that build scripts have made, since each build may make them again.
pub(super) fn files_of(executable: &Path) -> Vec<PathBuf> {
    let Ok(text) = std::fs::read_to_string(executable.with_extension("d")) else {
        return Vec::new();
    };
    let Some((_, files)) = text.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    // A space in a name is written with a backslash.
    let names = files.replace("\\ ", "\0");
    let paths = names.split(' ').map(|name| PathBuf::from(name.replace('\0', " ")));
    let made = executable.parent().unwrap_or(executable);
    paths.filter(|path| !path.starts_with(made)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reader() -> BuildReader {
        let places =
            SourcePlaces { workspace: "/p".into(), root: "/p".into(), crates: vec!["/p".into()] };
        BuildReader {
            binary: "shop".to_owned(),
            places,
            started: Arc::new(Mutex::new(HashMap::from([("shop".to_owned(), Instant::now())]))),
            output: BuildOutput::default(),
            has_failed: false,
        }
    }

    fn read(lines: &[serde_json::Value], printed: &str) -> BuildOutput {
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let mut reader = reader();
        reader.read(text.join("\n").as_bytes());
        reader.finish(printed, Duration::ZERO)
    }

    fn artifact(fresh: bool) -> serde_json::Value {
        json!({"reason": "compiler-artifact", "package_id": "path+file:///p/shop#0.1.0", "fresh": fresh,
               "target": {"name": "shop", "kind": ["bin"]}, "executable": "/p/target/debug/shop"})
    }

    fn diagnostic(level: &str, message: &str) -> serde_json::Value {
        json!({"reason": "compiler-message", "target": {"name": "shop", "kind": ["bin"]}, "message": {
            "message": message, "level": level, "code": null, "spans": [], "children": [],
            "rendered": format!("{level}: {message}\n")}})
    }

    #[test]
    fn a_good_build_has_a_binary_and_counts_warnings() {
        let finished = json!({"reason": "build-finished", "success": true});
        let built = read(&[diagnostic("warning", "unused"), artifact(false), finished.clone()], "");
        assert_eq!(built.executable.as_deref(), Some(Path::new("/p/target/debug/shop")));
        assert_eq!((built.warnings, built.failures.len()), (1, 0));
        assert_eq!(built.crates[0].name, "shop");
        let script = json!({"reason": "build-script-executed", "linked_libs": [], "linked_paths":
            ["native=/p/target/debug/build/py/out", "/usr/lib"]});
        let built = read(&[script, artifact(false), finished.clone()], "");
        let libraries =
            ["build/py/out", "deps", ""].map(|name| Path::new("/p/target/debug").join(name));
        assert_eq!(built.libraries, libraries);
        let again = read(&[artifact(true), finished], "");
        assert!(again.executable.is_some() && again.crates.is_empty());
    }

    #[test]
    fn a_failed_build_has_the_errors_of_the_compiler_or_that_of_cargo() {
        let failed = json!({"reason": "build-finished", "success": false});
        let lines = [
            diagnostic("error", "mismatched types"),
            diagnostic("error", "aborting due to 1 previous error"),
            failed.clone(),
        ];
        let built = read(&lines, "error: could not compile `shop`");
        let messages: Vec<_> = built.failures.iter().map(|it| &*it.traceback.message).collect();
        assert_eq!((messages, built.executable), (vec!["mismatched types"], None));
        assert_eq!(built.rendered, "error: mismatched types\n");

        let printed = "   Compiling a v1\nerror: failed to parse manifest at `/p/Cargo.toml`\n\nCaused by:\n  x\n";
        let built = read(&[failed], printed);
        let raised = &built.failures[0].traceback;
        assert_eq!(raised.message, "failed to parse manifest at `/p/Cargo.toml`");
        assert!(raised.text.ends_with("x") && !raised.text.contains("Compiling"), "{raised:?}");
        // Cargo was killed.
        assert_eq!(read(&[], "").failures[0].traceback.message, "cargo has ended");
    }

    #[test]
    fn the_name_of_a_package_is_in_its_id() {
        for (id, name) in [
            ("path+file:///p/shop#0.1.0", "shop"),
            ("path+file:///p/dir#shop@0.1.0", "shop"),
            ("registry+https://example.invalid/index#serde@1.0.0", "serde"),
        ] {
            assert_eq!(package_name(id), name);
        }
    }

    #[test]
    fn the_files_of_a_build_are_read_from_the_list_of_cargo() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let executable = dir.path().join("shop");
        assert!(files_of(&executable).is_empty());
        let made = dir.path().join("build/shop-1/out/made.rs");
        let list = format!("/t/shop: /p/src/main.rs /p/a\\ b.txt {}\n", made.display());
        std::fs::write(dir.path().join("shop.d"), list).expect("written");
        assert_eq!(files_of(&executable), ["/p/src/main.rs", "/p/a b.txt"].map(PathBuf::from));
    }
}
