//! The Rust program of a project: its binary, and the directories of the crates that it is built from.
//!
//! Asks `cargo metadata`, in a few fields only; never builds, and never reads a lock file or the network.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use snaxum::config::SnaxumConfig;
use snaxum::error::Error;

use crate::cli::render::color::print_warning;

/// The crate that the binary depends on.
const LIBRARY: &str = "snaxum";
/// The variables that `cargo run` sets for this program, and a build of another one must not get.
const OF_CARGO_RUN: [&str; 8] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_RUSTC_CURRENT_DIR",
    "OUT_DIR",
];

/// A binary that `snaxum dev` builds and runs.
#[derive(Debug)]
pub(super) struct RustPackage {
    /// The directory of the project.
    pub(super) root: PathBuf,
    /// The manifest of its package.
    pub(super) manifest: PathBuf,
    /// The name of the binary.
    pub(super) binary: String,
    /// rustc names files from here.
    pub(super) workspace: PathBuf,
    /// The directory of its main source.
    pub(super) sources: PathBuf,
    /// The main sources of the binary, of its library and of its build script.
    pub(super) mains: Vec<PathBuf>,
    /// The directories of its package and of the path dependencies.
    pub(super) crates: Vec<PathBuf>,
}

/// Finds the binary of the project in `root`; `None` if its server is the Python one.
pub(super) fn find(root: &Path, config: &SnaxumConfig) -> Result<Option<RustPackage>, Error> {
    let named = config.cargo_bin.as_deref();
    if config.no_cargo || config.app.is_some() || named == Some("") {
        return Ok(None);
    }
    let manifest = root.join("Cargo.toml");
    let text = match fs::read_to_string(&manifest) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
            return Ok(None);
        }
        Err(source) => return Err(Error::Unreadable { path: manifest, source }),
    };
    // Most packages of Python projects are extension modules: cargo is not asked about them.
    if named.is_none() && !text.contains(LIBRARY) {
        return Ok(None);
    }
    let metadata = match Metadata::read(&manifest, root) {
        Err(problem) if named.is_none() => return Ok(left_to_python(&problem)),
        metadata => metadata?,
    };
    let Some((package, binary)) = metadata.choose(&manifest, named, config)? else {
        return Ok(None);
    };
    match metadata.resolve(&manifest, root) {
        Err(problem) if named.is_none() => return Ok(left_to_python(&problem)),
        resolved => resolved?,
    }
    Ok(Some(RustPackage {
        root: root.to_owned(),
        manifest: package.manifest_path.clone(),
        sources: package.sources_of(&binary).unwrap_or_else(|| root.to_owned()),
        mains: package.mains(&binary),
        binary,
        workspace: metadata.workspace_root.clone(),
        crates: metadata.crates_of(package, root),
    }))
}

/// Warns that there is no program: `cargo-bin` does not demand one.
fn left_to_python(problem: &Error) -> Option<RustPackage> {
    print_warning(&format!("only the Python modules are served: {problem}"));
    None
}

/// The command that runs cargo in a directory.
pub(super) fn cargo(directory: &Path) -> Command {
    let mut command = Command::new(program());
    command.current_dir(directory).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_CARGO_RUN.contains(&&*text) || text.starts_with("CARGO_PKG_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs cargo with a manifest, and returns what it prints on stdout.
fn output_of_cargo(
    arguments: &[&str],
    manifest: &Path,
    directory: &Path,
) -> Result<Vec<u8>, Error> {
    let mut command = cargo(directory);
    let output = command.args(arguments).arg(manifest).output();
    let output = output.map_err(|error| no_cargo(&error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    Err(Error::RustProgram(format!(
        "cargo cannot read `{}`; mend it, or serve the Python modules only with `--no-cargo`\n{}",
        manifest.display(),
        console::strip_ansi_codes(printed.trim_end())
    )))
}

/// The error of a cargo that does not start.
pub(super) fn no_cargo(source: &io::Error) -> Error {
    let program = program();
    Error::RustProgram(format!(
        "`{}` does not start: {source}; install Rust, or serve the Python modules only with `--no-cargo`",
        program.display()
    ))
}

/// The cargo that has started this program, or the one of the user.
fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The part of cargo's metadata that is needed here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<CargoPackage>,
    workspace_root: PathBuf,
}

#[derive(Debug, Deserialize)]
struct CargoPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
    dependencies: Vec<CargoDependency>,
    default_run: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CargoTarget {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct CargoDependency {
    name: String,
    /// `dev`, `build`, or none.
    kind: Option<String>,
    path: Option<PathBuf>,
}

impl Metadata {
    fn read(manifest: &Path, directory: &Path) -> Result<Self, Error> {
        let arguments = ["metadata", "--no-deps", "--format-version", "1", "--manifest-path"];
        let output = output_of_cargo(&arguments, manifest, directory)?;
        serde_json::from_slice(&output).map_err(|error| {
            Error::RustProgram(format!(
                "the metadata of cargo cannot be read ({error}); update Rust"
            ))
        })
    }

    /// Finds the versions of all dependencies, if no build has done so before.
    fn resolve(&self, manifest: &Path, directory: &Path) -> Result<(), Error> {
        if !self.workspace_root.join("Cargo.lock").exists() {
            output_of_cargo(&["generate-lockfile", "--manifest-path"], manifest, directory)?;
        }
        Ok(())
    }

    /// Chooses the package and its binary.
    fn choose(
        &self,
        manifest: &Path,
        named: Option<&str>,
        config: &SnaxumConfig,
    ) -> Result<Option<(&CargoPackage, String)>, Error> {
        let at_root = self.packages.iter().find(|package| package.manifest_path == manifest);
        let bad = |problem| {
            Err(Error::BadValue {
                origin: config.places.of("cargo-bin").to_owned(),
                name: "cargo-bin",
                problem,
            })
        };
        if let Some(named) = named {
            let with_it = |package: &&CargoPackage| package.binaries().any(|name| name == named);
            let found = at_root.into_iter().chain(&self.packages).find(with_it);
            return match found {
                Some(package) => Ok(Some((package, named.to_owned()))),
                None => {
                    let all = self.packages.iter().flat_map(CargoPackage::binaries);
                    bad(format!("`{named}`, which is not a binary here; there is {}", listed(all)))
                }
            };
        }
        let Some(package) = at_root.filter(|package| package.uses_library()) else {
            return Ok(None);
        };
        let binaries: Vec<&str> = package.binaries().collect();
        match (&*binaries, &package.default_run) {
            ([], _) => Ok(None),
            ([only], _) => Ok(Some((package, (*only).to_owned()))),
            (_, Some(default)) => Ok(Some((package, default.clone()))),
            (several, None) => bad(format!(
                "not set, and the package has several binaries: {}; name one, or set `default-run` in \
                 Cargo.toml",
                listed(several.iter().copied())
            )),
        }
    }

    /// Lists the directories of the package and of all path dependencies, also of those outside the workspace.
    fn crates_of(&self, package: &CargoPackage, root: &Path) -> Vec<PathBuf> {
        let mut found = BTreeSet::new();
        let mut pending = vec![package];
        let mut outside: Vec<PathBuf> = Vec::new();
        while let Some(package) = pending.pop() {
            let Some(directory) = package.manifest_path.parent() else { continue };
            if !found.insert(directory.to_owned()) {
                continue;
            }
            for path in package.paths() {
                let manifest = path.join("Cargo.toml");
                match self.packages.iter().find(|known| known.manifest_path == manifest) {
                    Some(known) => pending.push(known),
                    None => outside.push(path.to_owned()),
                }
            }
        }
        while let Some(directory) = outside.pop() {
            if !found.insert(directory.clone()) {
                continue;
            }
            // An error shows in the build.
            let Ok(other) = Self::read(&directory.join("Cargo.toml"), root) else { continue };
            outside.extend(other.packages.iter().flat_map(CargoPackage::paths).map(Path::to_owned));
        }
        found.into_iter().collect()
    }
}

impl CargoPackage {
    fn binaries(&self) -> impl Iterator<Item = &str> {
        let is_binary = |target: &&CargoTarget| target.kind.iter().any(|kind| kind == "bin");
        self.targets.iter().filter(is_binary).map(|target| &*target.name)
    }

    fn sources_of(&self, binary: &str) -> Option<PathBuf> {
        let is_it = |target: &&CargoTarget| target.name == binary;
        Some(self.targets.iter().find(is_it)?.src_path.parent()?.to_owned())
    }

    fn mains(&self, binary: &str) -> Vec<PathBuf> {
        let is_built = |target: &&CargoTarget| match target.kind.first().map(|kind| &**kind) {
            Some("bin") => target.name == binary,
            Some("test" | "bench" | "example") | None => false,
            Some(_) => true,
        };
        self.targets.iter().filter(is_built).map(|target| target.src_path.clone()).collect()
    }

    fn uses_library(&self) -> bool {
        let is_it = |it: &CargoDependency| it.name == LIBRARY && it.kind.is_none();
        self.name != LIBRARY && self.dependencies.iter().any(is_it)
    }

    /// The directories of its dependencies on this machine.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let is_built = |it: &&CargoDependency| it.kind.as_deref() != Some("dev");
        self.dependencies.iter().filter(is_built).filter_map(|it| it.path.as_deref())
    }
}

/// `a, b and c`, without doubles.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &*names {
        [] => "none".to_owned(),
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        [only, ..] => only.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(targets: &[&str], dependency: &str, default_run: Option<&str>) -> Metadata {
        let targets: Vec<_> = targets
            .iter()
            .map(|name| json!({"name": name, "kind": ["bin"], "src_path": "/p/src/main.rs"}))
            .collect();
        let metadata = json!({
            "packages": [{
                "name": "shop", "manifest_path": "/p/Cargo.toml", "targets": targets,
                "dependencies": [{"name": dependency, "kind": null}], "default_run": default_run,
            }],
            "workspace_root": "/p",
        });
        serde_json::from_value(metadata).expect("metadata")
    }

    fn chosen(metadata: &Metadata, named: Option<&str>) -> Result<Option<String>, String> {
        let config = SnaxumConfig::builder().build_without_modules();
        let chosen = metadata.choose(Path::new("/p/Cargo.toml"), named, &config);
        chosen.map(|found| found.map(|(_, name)| name)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_binary_of_a_package_that_depends_on_snaxum_is_chosen() {
        let one = package(&["shop"], "snaxum", None);
        assert_eq!(chosen(&one, None), Ok(Some("shop".to_owned())));
        assert_eq!(chosen(&package(&["shop"], "axum", None), None), Ok(None));
        assert_eq!(chosen(&package(&[], "snaxum", None), None), Ok(None));
        let default = package(&["shop", "admin"], "snaxum", Some("admin"));
        assert_eq!(chosen(&default, None), Ok(Some("admin".to_owned())));
    }

    #[test]
    fn several_binaries_and_a_wrong_name_are_errors_that_list_them() {
        let two = package(&["shop", "admin"], "snaxum", None);
        let error = chosen(&two, None).expect_err("it is not clear which");
        assert!(error.contains("`admin` and `shop`; name one"), "{error}");
        assert_eq!(chosen(&two, Some("shop")), Ok(Some("shop".to_owned())));
        let error = chosen(&two, Some("cart")).expect_err("there is none");
        assert!(error.contains("`cart`, which is not a binary here"), "{error}");
    }
}
