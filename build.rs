//! Links the binary to one Python: finds its libpython, and records its version. An extension module
//! is linked to none.
//!
//! Runs at build time only. The program gets the result as `SNAXUM_BUILD_*`, and build scripts of
//! dependent crates as `DEP_SNAXUM_*`. Never reads the user's project.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

const DESCRIBE: &str = "
import os, platform, sys, sysconfig
print(platform.python_version())
print(os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable))
print(sysconfig.get_config_var('INSTSONAME') or '')
";

const COMPILE: &str = "
import importlib.util, marshal, os
codes = {}
for directory, _, names in os.walk(SOURCE):
    for name in sorted(names):
        if name.endswith('.py'):
            path = os.path.join(directory, name)
            file = os.path.relpath(path, SOURCE).replace(os.sep, '/')
            with open(path, encoding='utf-8') as text:
                code = compile(text.read(), '<snaxum>/' + file, 'exec', dont_inherit=True)
            codes[file] = marshal.dumps(code)
with open(TARGET, 'wb') as target:
    target.write(importlib.util.MAGIC_NUMBER + marshal.dumps(codes))
";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=python/snaxum");
    println!("cargo:rerun-if-changed=templates");

    pyo3_build_config::use_pyo3_cfgs();
    if env::var_os("CARGO_FEATURE_EXTENSION_MODULE").is_some() {
        // The interpreter that imports it reports itself.
        println!("cargo:rustc-env=SNAXUM_BUILD_PYTHON=");
        println!("cargo:rustc-env=SNAXUM_BUILD_PYTHON_VERSION=3.10");
        return;
    }
    let config = pyo3_build_config::get();
    let described = config.run_python_script(DESCRIBE).unwrap_or_else(|error| {
        fail(&format!(
            "the Python to build against does not run: {error}; name another one with PYO3_PYTHON"
        ))
    });
    let mut lines = described.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let (version, executable, soname) = (next(), next(), next());

    let lib_dir = PathBuf::from(config.lib_dir().unwrap_or_default());
    let library = lib_dir.join(&soname);
    if !config.shared() || !library.exists() {
        fail(&format!(
            "Python {version} at {executable} has no shared library ({}); install it (Debian: \
             libpython{}.{}), build Python with --enable-shared, or name another interpreter with \
             PYO3_PYTHON",
            library.display(),
            config.version().major,
            config.version().minor,
        ));
    }
    link_into_target(&library, &format!("lib{}", config.lib_name().unwrap_or_default()));
    pyo3_build_config::add_libpython_rpath_link_args();

    compile_framework(config);

    println!("cargo:rustc-env=SNAXUM_BUILD_PYTHON_VERSION={version}");
    println!("cargo:rustc-env=SNAXUM_BUILD_PYTHON={executable}");
    println!("cargo:libpython_dir={}", lib_dir.display());
    println!("cargo:python_version={version}");
}

/// Compiles the framework's Python files, for `src/framework.rs`.
fn compile_framework(config: &pyo3_build_config::InterpreterConfig) {
    let directory = |name| PathBuf::from(env::var_os(name).expect("cargo sets it"));
    let source = directory("CARGO_MANIFEST_DIR").join("python/snaxum");
    let target = directory("OUT_DIR").join("framework.bin");
    // The debug format of a path is a string literal for Python as well.
    let script = format!("SOURCE = {source:?}\nTARGET = {target:?}\n{COMPILE}");
    if let Err(error) = config.run_python_script(&script) {
        fail(&format!("the framework's Python files do not compile: {error}"));
    }
}

/// Creates a link to libpython in the target directory.
///
/// `cargo run` and `cargo test` add such directories to the loader's path, so a dependent crate
/// without a build script finds the library it was built for. It also helps on a machine that
/// has `libpython3.x.so.1.0` but not the development package's `libpython3.x.so`.
fn link_into_target(library: &Path, plain_name: &str) {
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("lib");
    let soname = library.file_name().expect("the library was seen to exist");
    let plain = if cfg!(target_os = "macos") {
        format!("{plain_name}.dylib")
    } else {
        format!("{plain_name}.so")
    };
    let _ = fs::remove_dir_all(&directory);
    let linked = fs::create_dir_all(&directory).and_then(|()| {
        symlink(library, &directory.join(soname))?;
        if soname == plain.as_str() { Ok(()) } else { symlink(library, &directory.join(&plain)) }
    });
    match linked {
        Ok(()) => println!("cargo:rustc-link-search=native={}", directory.display()),
        Err(error) => {
            println!("cargo:warning=no link to libpython in the target directory: {error}")
        }
    }
}

#[cfg(unix)]
fn symlink(original: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

#[cfg(not(unix))]
fn symlink(original: &Path, link: &Path) -> std::io::Result<()> {
    fs::copy(original, link).map(drop)
}

fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    process::exit(1);
}
