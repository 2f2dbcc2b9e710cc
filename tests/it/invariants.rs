//! The rules of ARCHITECTURE.md that the source tree itself can show.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Path from the repository on, and text, of each file below `directory` with this suffix.
pub(crate) fn sources(directory: &str, suffix: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(ROOT).join(directory)];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
        {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|found| found == suffix) {
                let name = path.strip_prefix(ROOT).expect("it is below").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{directory} has no .{suffix}");
    found
}

/// The text without its comments and its unit tests.
pub(crate) fn code(text: &str) -> String {
    let is_of_tests = |place: &usize| {
        let item = text[*place..].lines().find(|line| !line.starts_with("#["));
        item.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let places = text.match_indices("#[cfg(").map(|(place, _)| place);
    let mut of_tests = places.filter(|place| {
        let condition = &text[place + "#[cfg(".len()..];
        ["test)", "all(test", "any(test"].iter().any(|kind| condition.starts_with(kind))
    });
    let text = &text[..of_tests.find(is_of_tests).unwrap_or(text.len())];
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn names_of(files: &[(String, String)], wanted: impl Fn(&str) -> bool) -> Vec<&str> {
    files.iter().filter(|(_, text)| wanted(&code(text))).map(|(name, _)| &**name).collect()
}

#[test]
fn one_place_speaks_pyo3() {
    let files = sources("src", "rs");
    assert_eq!(
        names_of(&files, |text| text.contains("pyo3")),
        [
            "src/python_runtime/asgi.rs",
            "src/python_runtime/asgi/call.rs",
            "src/python_runtime/asgi/cycle.rs",
            "src/python_runtime/asgi/event.rs",
            "src/python_runtime/asgi/flush.rs",
            "src/python_runtime/asgi/response_way.rs",
            "src/python_runtime/asgi/scope.rs",
            "src/python_runtime/boot.rs",
            "src/python_runtime/bridge.rs",
            "src/python_runtime/exchange.rs",
            "src/python_runtime/host.rs",
            "src/python_runtime/hosted_api.rs",
            "src/python_runtime/in_process_connection.rs",
            "src/python_runtime/interpreter.rs",
            "src/python_runtime/json.rs",
            "src/python_runtime/json_decoding.rs",
            "src/python_runtime/json_encoding.rs",
            "src/python_runtime/limited_own_context.rs",
            "src/python_runtime/own_context.rs",
            "src/python_runtime/preload.rs",
            "src/python_runtime/request_parts.rs",
            "src/python_runtime/response_stream.rs",
            "src/python_runtime/route_index.rs",
            "src/python_runtime/thread.rs",
            "src/python_runtime/websocket.rs",
            "src/python_runtime/workers.rs",
            "src/python_runtime/wsgi/call.rs",
            "src/python_runtime/wsgi/environ.rs",
            "src/python_runtime/wsgi/start_response.rs",
        ]
    );
    // The threads only attach to the interpreter, and detach from it while they wait.
    for file in ["src/python_runtime/thread.rs", "src/python_runtime/workers.rs"] {
        let thread = code(&fs::read_to_string(Path::new(ROOT).join(file)).expect("a file"));
        assert_eq!(thread.matches("pyo3").count(), 1, "{file}");
        assert!(thread.contains("use pyo3::Python;"), "{file}");
        for word in ["PyAny", "PyModule", "PyDict", "Bound<", "Py<", "call1", "getattr", "import("]
        {
            assert!(!thread.contains(word), "{file}: {word}");
        }
    }
}

#[test]
fn rust_calls_functions_of_the_bridge_and_of_nothing_else_of_the_framework() {
    let bridge = code(
        &fs::read_to_string(Path::new(ROOT).join("src/python_runtime/bridge.rs")).expect("a file"),
    );
    let interpreter = code(
        &fs::read_to_string(Path::new(ROOT).join("src/python_runtime/interpreter.rs"))
            .expect("a file"),
    );
    let quoted_after = |text: &str, call: &str| -> Vec<String> {
        text.split(call)
            .skip(1)
            .filter_map(|rest| rest.strip_prefix('"')?.split('"').next().map(str::to_owned))
            .collect()
    };

    assert_eq!(quoted_after(&bridge, ".import("), ["snaxum._bridge"]);
    assert!(quoted_after(&interpreter, ".import(").is_empty());
    // `install` belongs to `_embed`, which makes `snaxum` importable in the first place.
    let python =
        fs::read_to_string(Path::new(ROOT).join("python/snaxum/_bridge.py")).expect("a file");
    let called =
        [quoted_after(&bridge, "function("), quoted_after(&bridge, ".call_method1(")].concat();
    assert!(called.len() >= 5, "{called:?}");
    for name in called.iter().filter(|name| *name != "install") {
        assert!(python.contains(&format!("\ndef {name}(")), "{name} is not a function of _bridge");
    }
}

#[test]
fn the_core_never_names_dev_mode() {
    let files = sources("src", "rs");
    let core: Vec<_> = files
        .into_iter()
        .filter(|(name, _)| !name.starts_with("src/dev") && !name.starts_with("src/cli"))
        .collect();
    let none: [&str; 0] = [];
    assert_eq!(
        names_of(&core, |text| text.contains("crate::dev") || text.contains("super::dev")),
        none
    );
}

#[test]
fn the_dev_feature_is_named_in_two_files_only() {
    let files: Vec<_> = sources("src", "rs")
        .into_iter()
        .filter(|(name, text)| {
            !name.starts_with("src/dev") && code(text).contains("feature = \"dev\"")
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(files, ["src/cli.rs", "src/lib.rs"]);
}

/// Returns the name of the type that a line at the left margin defines.
fn defined_type(line: &str) -> Option<&str> {
    let item = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let (kind, rest) = item.split_once(' ')?;
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    ["struct", "enum", "trait", "type"].contains(&kind).then_some(name)
}

#[test]
fn each_type_has_a_name_of_its_own() {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for (file, text) in sources("src", "rs") {
        for name in code(&text).lines().filter_map(defined_type) {
            places.entry(name.to_owned()).or_default().push(file.clone());
        }
    }
    assert!(places.len() > 200, "{}", places.len());
    // Without the feature, the options of dev mode are empty.
    places.remove("DevOptions");
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn every_file_begins_with_its_job() {
    for (name, text) in [sources("src", "rs"), sources("tests/it", "rs")].concat() {
        assert!(text.starts_with("//! "), "{name}");
    }
    for (name, text) in sources("python/snaxum", "py") {
        assert!(text.starts_with("\"\"\""), "{name}");
    }
}

#[test]
fn the_framework_needs_nothing_but_the_standard_library() {
    // Libraries of the user are recognised by name, and imported in the functions that need them.
    let known = standard_library();
    for (name, text) in sources("python/snaxum", "py") {
        for line in text.lines().filter(|line| !line.starts_with(' ')) {
            let imported = match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["import", module, ..] => module,
                ["from", module, "import", ..] => module,
                _ => continue,
            };
            let top = imported.split('.').next().expect("a first part").trim_end_matches(',');
            assert!(
                top.is_empty()
                    || top == "snaxum"
                    || (top == "pytest" && name.starts_with("python/snaxum/_testing/"))
                    || known.iter().any(|name| name == top),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn no_file_has_two_jobs() {
    let files = [sources("src", "rs"), sources("python/snaxum", "py")].concat();
    let long: Vec<_> = files
        .iter()
        .filter(|(name, _)| !name.ends_with("/tests.rs"))
        .map(|(name, text)| {
            (text.split("#[cfg(test)]").next().map_or(0, |text| text.lines().count()), name)
        })
        .filter(|(lines, _)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "{long:?}");

    let tests =
        [sources("tests", "rs"), sources("tests/python", "py"), sources("tests/projects", "py")];
    let lines = |(name, text): &(String, String)| (text.lines().count(), name.clone());
    let long: Vec<_> = tests.concat().iter().map(lines).filter(|(lines, _)| *lines > 500).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn nothing_outside_tests_panics_without_a_stated_reason() {
    for (name, text) in sources("src", "rs") {
        let text = code(&text);
        for call in [".unwrap()", "todo!(", "unimplemented!(", "dbg!("] {
            assert!(!text.contains(call), "{name}: {call}");
        }
    }
}

fn standard_library() -> Vec<String> {
    let output = std::process::Command::new(snaxum::build_info::BUILD_PYTHON)
        .args(["-c", "import sys; print(*sys.stdlib_module_names)"])
        .output()
        .expect("the Python that we are built for starts");
    let names = String::from_utf8(output.stdout).expect("UTF-8");
    names.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn each_item_of_security_names_tests_that_are_there() {
    let read = |path: &str| {
        let path = Path::new(ROOT).join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let table = read("docs/security.md");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| S-"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();

    let items: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let expected: Vec<String> = (1..=41).map(|number| format!("S-{number:02}")).collect();
    assert_eq!(items, expected);
    for row in &rows {
        let names: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(row[1].contains("Not built") || !names.is_empty(), "{row:?}");
        for name in names {
            let (file, test) = name.split_once("::").expect("file::name");
            let is_there = if test.contains(' ') {
                read(&format!("tests/browser/{file}.spec.js")).contains(&format!("test(\"{test}\""))
            } else if file.ends_with(".py") {
                read(file).contains(&format!("def {test}("))
            } else {
                let file =
                    if file.ends_with(".rs") { file } else { &format!("tests/it/{file}.rs") };
                let text = read(file);
                let mut lines = text.lines().map(str::trim);
                let mut last = "";
                lines.any(|line| {
                    let is_test = last.starts_with("#[") && line.contains(&format!("fn {test}("));
                    last = line;
                    is_test
                })
            };
            assert!(is_there, "{}: no test {name}", row[0]);
        }
    }
}
