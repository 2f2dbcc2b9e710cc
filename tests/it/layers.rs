//! The direction of imports: modules form layers, and no two depend on each other.
//!
//! Reads the sources as text. An import of a name that a module re-exports counts as an import of
//! the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use crate::invariants::{code, sources};

type Path = Vec<String>;

/// The modules of the crate: what each one imports and re-exports.
struct Modules {
    texts: BTreeMap<Path, String>,
    /// In a module, the names that a `use` brings in, with the full path of each.
    names: BTreeMap<Path, BTreeMap<String, Path>>,
}

impl Modules {
    fn read() -> Self {
        let files = sources("src", "rs");
        let texts: BTreeMap<Path, String> = files
            .iter()
            .filter(|(name, _)| name != "src/main.rs")
            .map(|(name, text)| (module_of(name), code(text).replace("pub(in crate", "pub(in ")))
            .collect();
        let mut modules = Self { texts, names: BTreeMap::new() };
        for (module, text) in &modules.texts {
            let used = imports(text).into_iter().filter_map(|(path, alias)| {
                let full = modules.resolve(module, &path)?;
                Some((alias.or_else(|| path.last().cloned())?, full))
            });
            modules.names.insert(module.clone(), used.collect());
        }
        modules
    }

    /// Makes a path as it is written in `module` a path from the crate's root on; none for paths
    /// of other crates.
    fn resolve(&self, module: &[String], path: &[String]) -> Option<Path> {
        let mut rest = path;
        let mut base = match path.first()?.as_str() {
            "crate" | "snaxum" => Path::new(),
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            name => {
                let child = [module, &[name.to_owned()]].concat();
                if !self.texts.contains_key(&child) {
                    return None;
                }
                rest = &path[1..];
                return Some([&child, rest].concat());
            }
        };
        rest = &rest[1..];
        while rest.first().is_some_and(|name| name == "super") {
            base.pop();
            rest = &rest[1..];
        }
        Some([&base, rest].concat())
    }

    /// The file that defines what `path` names: re-exports are followed.
    fn home(&self, path: &[String]) -> Option<&Path> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let length = (0..=path.len()).rev().find(|&n| self.texts.contains_key(&path[..n]))?;
            let (module, rest) = path.split_at(length);
            let next = rest.first().and_then(|name| self.names[module].get(name));
            match next {
                Some(target) if target[..] != path[..] => {
                    path = [target.as_slice(), &rest[1..]].concat();
                }
                _ => return self.texts.get_key_value(module).map(|(key, _)| key),
            }
        }
        None
    }

    /// Each module with the modules that it imports or names by a path.
    fn graph(&self) -> BTreeMap<String, BTreeSet<String>> {
        let shown = |module: &Path| {
            format!("src/{}.rs", if module.is_empty() { "lib".into() } else { module.join("/") })
        };
        let mut graph = BTreeMap::new();
        for (module, text) in &self.texts {
            let written = imports(text).into_iter().map(|(path, _)| path).chain(paths(text));
            let targets: BTreeSet<String> = written
                .filter_map(|path| self.home(&self.resolve(module, &path)?))
                .filter(|target| *target != module)
                .map(shown)
                .collect();
            graph.insert(shown(module), targets);
        }
        graph
    }
}

fn module_of(file: &str) -> Path {
    let path = file.strip_prefix("src/").and_then(|file| file.strip_suffix(".rs"));
    let path = path.expect("a file below src");
    if path == "lib" { Path::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The paths of all `use` declarations, each with its alias.
fn imports(text: &str) -> Vec<(Path, Option<String>)> {
    let mut found = Vec::new();
    for part in text.split("use ").skip(1) {
        let tree = part.split(';').next().expect("there is a first part");
        flatten(&[], tree.trim(), &mut found);
    }
    found
}

fn flatten(prefix: &[String], tree: &str, found: &mut Vec<(Path, Option<String>)>) {
    let segments = |text: &str| -> Path {
        text.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    if let Some((head, inner)) = tree.split_once('{') {
        let prefix = [prefix, &segments(head)].concat();
        let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
        let (mut depth, mut start) = (0, 0);
        for (index, letter) in inner.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    flatten(&prefix, inner[start..index].trim(), found);
                    start = index + 1;
                }
                _ => {}
            }
        }
        if !inner[start..].trim().is_empty() {
            flatten(&prefix, inner[start..].trim(), found);
        }
        return;
    }
    let (path, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let mut path = [prefix, &segments(path)].concat();
    if path.last().is_some_and(|name| name == "self") {
        path.pop();
    }
    found.push((path, alias));
}

/// The paths in the code that begin at the crate, the parent or a child.
fn paths(text: &str) -> Vec<Path> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    text.split(|letter| !is_part(letter))
        .filter(|word| word.contains("::"))
        .map(|word| word.split("::").map(str::to_owned).collect())
        .filter(|path: &Path| path.iter().all(|name| !name.is_empty() && !name.contains(':')))
        .collect()
}

/// The groups of nodes that reach each other.
fn cycles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reachable: BTreeMap<&String, BTreeSet<&String>> = graph
        .keys()
        .map(|start| {
            let (mut seen, mut waiting) = (BTreeSet::new(), vec![start]);
            while let Some(node) = waiting.pop() {
                for next in &graph[node] {
                    if seen.insert(next) {
                        waiting.push(next);
                    }
                }
            }
            (start, seen)
        })
        .collect();
    let mut groups = BTreeSet::new();
    for (node, reached) in &reachable {
        if reached.contains(node) {
            let group = reached.iter().filter(|other| reachable[**other].contains(node));
            groups.insert(group.map(|other| (*other).clone()).collect::<Vec<_>>());
        }
    }
    groups.into_iter().collect()
}

#[test]
fn no_modules_import_each_other() {
    let graph = Modules::read().graph();
    assert!(graph["src/dispatcher.rs"].contains("src/python_runtime.rs"), "{graph:#?}");
    for group in cycles(&graph) {
        for node in &group {
            let inside: Vec<_> = graph[node].iter().filter(|to| group.contains(to)).collect();
            eprintln!("{node} -> {inside:?}");
        }
    }
    assert_eq!(cycles(&graph), Vec::<Vec<String>>::new());
}

#[test]
fn the_engine_of_dev_mode_knows_no_http() {
    let engine =
        sources("src/dev", "rs").into_iter().filter(|(name, _)| !name.starts_with("src/dev/http"));
    for (name, text) in engine {
        let text = code(&text);
        for word in ["axum::Router", "axum::extract", "dev::http", "super::http"] {
            assert!(!text.contains(word), "{name} names {word}");
        }
    }
}

#[test]
fn a_cycle_is_found_through_a_re_export() {
    let graph: BTreeMap<String, BTreeSet<String>> =
        [("a", vec!["b"]), ("b", vec!["c"]), ("c", vec!["a"]), ("d", vec!["a"])]
            .into_iter()
            .map(|(from, to)| (from.to_owned(), to.into_iter().map(str::to_owned).collect()))
            .collect();
    assert_eq!(cycles(&graph), [["a", "b", "c"].map(str::to_owned).to_vec()]);

    let texts = [("a", ""), ("a/x", "pub struct X;"), ("a/y", "use super::X;")];
    let mut modules = Modules { texts: BTreeMap::new(), names: BTreeMap::new() };
    for (name, text) in texts {
        modules.texts.insert(module_of(&format!("src/{name}.rs")), text.to_owned());
        modules.names.insert(module_of(&format!("src/{name}.rs")), BTreeMap::new());
    }
    let reexport = ["a", "x", "X"].map(str::to_owned).to_vec();
    modules.names.get_mut(&module_of("src/a.rs")).expect("there").insert("X".into(), reexport);
    assert_eq!(modules.graph()["src/a/y.rs"], BTreeSet::from(["src/a/x.rs".to_owned()]));
}
