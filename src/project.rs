//! A project on disk: DIR, its `pyproject.toml`, its options.
//!
//! Reads only: never writes and never runs anything. [`crate::venv`] creates the environment.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::config::{
    self, ENV_FILE, OptionPlaces, ServerOptions, SnaxumConfig, SnaxumConfigBuilder,
};
use crate::error::Error;

/// A directory with `python/`, and optionally `pyproject.toml` and `.venv/`.
#[derive(Debug)]
pub struct Project {
    /// Absolute.
    pub root: PathBuf,
    /// `[project] dependencies`, then the dependency group `dev`, as written.
    pub dependencies: Vec<String>,
    /// Whether it has the dependency group `dev`.
    pub has_dev_group: bool,
    /// The options of `[tool.snaxum]`.
    pub options: ServerOptions,
    /// Their lines.
    places: OptionPlaces,
}

impl Project {
    /// Reads the project in `dir`.
    ///
    /// # Errors
    ///
    /// A missing directory, or an invalid `pyproject.toml`, with its line.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let root = dir.canonicalize().map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Error::NoProject(dir.to_owned()),
            _ => Error::Unreadable { path: dir.to_owned(), source },
        })?;
        if !root.is_dir() {
            return Err(Error::NoProject(dir.to_owned()));
        }
        if root.to_str().is_none() {
            return Err(Error::NotUtf8(root));
        }
        fs::read_dir(&root).map_err(|source| Error::Unreadable { path: root.clone(), source })?;
        let path = root.join("pyproject.toml");
        let manifest = match fs::read_to_string(&path) {
            Ok(text) => parse(&text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Manifest::default(),
            Err(source) => return Err(Error::Unreadable { path, source }),
        };
        let Manifest { dependencies, has_dev_group, options, places } = manifest;
        Ok(Self { root, dependencies, has_dev_group, options, places })
    }

    /// Starts a configuration from `options` (the command line and the environment), then from
    /// `[tool.snaxum]`. Resolves a relative python dir from the project.
    pub fn configure(&self, options: ServerOptions) -> SnaxumConfigBuilder {
        let places = self.places.clone().without(|name| options.sets(name));
        let mut options = options.or(self.options.clone());
        let default = match &options.app {
            // Where `python -m` would find its module.
            Some(app) => {
                if options.modules.is_empty() {
                    options.modules.extend(app.split(':').next().map(str::to_owned));
                }
                options.app_dir.clone().or_else(|| Some(PathBuf::from(".")))
            }
            None => None,
        };
        let python_dir = options.python_dir.take();
        let python_dir = match (&options.app_dir, default) {
            (Some(_), Some(app_dir)) => app_dir,
            (_, default) => python_dir.or(default).unwrap_or_else(|| PathBuf::from("python")),
        };
        options.python_dir = Some(self.root.join(python_dir));
        options.env_file.get_or_insert_with(|| PathBuf::from(ENV_FILE));
        SnaxumConfig::builder().project_dir(&self.root).options(options).places(places)
    }
}

/// Variables that are not options: the editor of this user, the watcher and the libpython of this
/// machine, the project of `snaxum.asgi`, and the messages between processes of Snaxum.
const OTHER_VARIABLES: [&str; 6] =
    ["EDITOR", "WATCH", "LIBPYTHON_DIR", "PROJECT", "TAKE_OVER", "TRIAL"];

/// Reads the `SNAXUM_*` variables. Also returns a warning for each name that resembles an option.
///
/// # Errors
///
/// A value out of its range, or the name of a removed option.
pub fn options_from_env() -> Result<(ServerOptions, Vec<String>), Error> {
    let mut options = ServerOptions::default();
    let mut warnings = Vec::new();
    for (key, value) in env::vars_os() {
        let Some(tail) = key.to_str().and_then(|key| key.strip_prefix("SNAXUM_")) else { continue };
        if OTHER_VARIABLES.contains(&tail) {
            continue;
        }
        let name = tail.to_ascii_lowercase();
        let Some(option) = config::option_named(&name) else {
            let hint = config::nearest_option(&name);
            if config::replacement(&name.replace('_', "-")).is_some() {
                let key = format!("SNAXUM_{tail}");
                return Err(Error::UnknownKey { origin: "environment".to_owned(), key, hint });
            }
            // Other tools may use this prefix for variables of their own.
            if hint.starts_with("did you mean") {
                warnings.push(format!("SNAXUM_{tail} is not an option; {hint}"));
            }
            continue;
        };
        let value = value.to_string_lossy();
        let values: Vec<&str> = if option.is_list {
            value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
        } else {
            vec![&*value]
        };
        for value in values {
            options.set(option.name, value).map_err(|problem| {
                config::bad_value(&format!("SNAXUM_{tail}"), option.name, problem)
            })?;
        }
    }
    Ok((options, warnings))
}

/// The parts of a `pyproject.toml` that a [`Project`] has.
#[derive(Default)]
struct Manifest {
    dependencies: Vec<String>,
    has_dev_group: bool,
    options: ServerOptions,
    places: OptionPlaces,
}

fn parse(text: &str) -> Result<Manifest, Error> {
    let origin = |offset: usize| {
        format!("pyproject.toml:{}", 1 + text[..offset.min(text.len())].matches('\n').count())
    };
    let document = DeTable::parse(text).map_err(|error| Error::BadToml {
        origin: origin(error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    let (dependencies, has_dev_group) = requirements(document.get_ref());
    let (mut options, mut places) = (ServerOptions::default(), OptionPlaces::default());
    let section = table(document.get_ref(), "tool").and_then(|tool| tool.get("snaxum"));
    let Some(section) = section else {
        return Ok(Manifest { dependencies, has_dev_group, options, places });
    };
    let DeValue::Table(section) = section.get_ref() else {
        return Err(Error::BadToml {
            origin: origin(section.span().start),
            problem: "`tool.snaxum` is not a table; write the options below `[tool.snaxum]`".into(),
        });
    };
    for (group, key, value) in keys(section) {
        let written = format!("{group}{}", key.get_ref());
        let Some(option) = config::option_named(&written) else {
            let hint = config::nearest_option(&written);
            return Err(Error::UnknownKey {
                origin: origin(key.span().start),
                key: format!("tool.snaxum.{}{}", group.replace('-', "."), key.get_ref()),
                hint: if group.is_empty() { hint } else { hint.replace(&format!("`{group}"), "`") },
            });
        };
        let place = origin(value.span().start);
        places.add(option.name, place.clone());
        let bad = |problem| config::bad_value(&place, option.name, problem);
        let text_of = |value: &DeValue<'_>| match value {
            DeValue::Integer(_) | DeValue::Float(_) if !option.is_numeric() => None,
            value => text_of(value),
        };
        let values = match value.get_ref() {
            DeValue::Array(items) if option.is_list => {
                items.iter().map(|item| text_of(item.get_ref())).collect()
            }
            DeValue::Boolean(on) if option.is_switch() || option.has_optional_value() => {
                Some(vec![on.to_string()])
            }
            single => text_of(single).map(|text| vec![text]),
        };
        let values: Vec<String> = values.ok_or_else(|| {
            let right = match (option.is_switch(), option.is_numeric(), option.is_list) {
                (true, ..) => "true or false",
                (_, true, _) => "a string or a number",
                (.., true) => "a string, or a list of strings",
                _ => "a string",
            };
            bad(format!("a value of the wrong type; use {right}"))
        })?;
        for value in values {
            options.set(option.name, &value).map_err(bad)?;
        }
    }
    config::check_cors(&options)
        .map_err(|(name, problem)| config::bad_value(places.of(name), name, problem))?;
    Ok(Manifest { dependencies, has_dev_group, options, places })
}

/// Returns the requirements of a `pyproject.toml`, as written.
///
/// # Errors
///
/// It is not TOML.
pub fn requirements_of(text: &str) -> Result<Vec<String>, Error> {
    Ok(parse(text)?.dependencies)
}

/// Returns the requirements, and whether there is a group `dev`.
fn requirements(document: &DeTable<'_>) -> (Vec<String>, bool) {
    let project = table(document, "project").and_then(|project| project.get("dependencies"));
    let mut found = Vec::new();
    for entry in items(project) {
        found.extend(text_of(entry.get_ref()));
    }
    let groups = table(document, "dependency-groups");
    if let Some(groups) = groups {
        add_group(groups, "dev", &mut Vec::new(), &mut found);
    }
    (found, groups.is_some_and(|groups| group(groups, "dev").is_some()))
}

/// Returns a group of requirements; names are compared in their normal form (PEP 735).
fn group<'a, 'i>(groups: &'a DeTable<'i>, name: &str) -> Option<&'a Spanned<DeValue<'i>>> {
    let is_it = |key: &str| package_of(key) == package_of(name);
    groups.iter().find_map(|(key, value)| is_it(key.get_ref()).then_some(value))
}

/// Adds a group of requirements and the groups that it includes (PEP 735), each once.
fn add_group(groups: &DeTable<'_>, name: &str, seen: &mut Vec<String>, found: &mut Vec<String>) {
    let name = package_of(name);
    if seen.contains(&name) {
        return;
    }
    let entries = items(group(groups, &name));
    seen.push(name);
    for entry in entries {
        match entry.get_ref() {
            DeValue::Table(include) => {
                let included =
                    include.get("include-group").and_then(|name| text_of(name.get_ref()));
                if let Some(included) = included {
                    add_group(groups, &included, seen, found);
                }
            }
            requirement => found.extend(text_of(requirement)),
        }
    }
}

fn items<'a, 'i>(value: Option<&'a Spanned<DeValue<'i>>>) -> &'a [Spanned<DeValue<'i>>] {
    match value.map(Spanned::get_ref) {
        Some(DeValue::Array(items)) => items,
        _ => &[],
    }
}

/// Returns the package that a requirement names, in its normal form: `my-lib` of `My_Lib[a]>=1`.
pub fn package_of(requirement: &str) -> String {
    let is_inner = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let text = requirement.trim_start();
    let name = &text[..text.find(|letter| !is_inner(letter)).unwrap_or(text.len())];
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// Lists the keys of a section and its tables; the name of a table begins the names of its options.
fn keys<'a, 'i>(
    section: &'a DeTable<'i>,
) -> impl Iterator<Item = (&'static str, &'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    section.iter().flat_map(|(key, value)| match value.get_ref() {
        DeValue::Table(cors) if key.get_ref() == "cors" => {
            cors.iter().map(|(key, value)| ("cors-", key, value)).collect::<Vec<_>>()
        }
        _ => vec![("", key, value)],
    })
}

fn table<'a, 'i>(outer: &'a DeTable<'i>, name: &str) -> Option<&'a DeTable<'i>> {
    match outer.get(name)?.get_ref() {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    }
}

fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_dev_is_part_of_the_requirements() {
        let text = "[project]\ndependencies = [\"polars>=1\", \"Snaxum\"]\n[dependency-groups]\n\
                    Dev = [\"pytest\", {include-group = \"Lint_Tools\"}]\n\
                    lint-tools = [\"ruff\", {include-group = \"dev\"}]\ndocs = [\"sphinx\"]\n";
        assert!(parse(text).expect("valid").has_dev_group);
        let found = requirements_of(text).expect("valid");
        assert_eq!(found, ["polars>=1", "Snaxum", "pytest", "ruff"]);
        for requirement in
            ["Snaxum", " snaxum[all] >= 1", "snaxum@file:///x", "SNAXUM;os_name=='nt'"]
        {
            assert_eq!(package_of(requirement), "snaxum", "{requirement}");
        }
        assert_eq!(package_of("My_.Lib>=1"), "my-lib");
    }

    #[test]
    fn pyproject_gives_dependencies_and_options() {
        let text = "[project]\ndependencies = [\"polars>=1\"]\n\n[tool.snaxum]\nport = 8080\n\
                    module = [\"a\", \"b\"]\nrequest_timeout = 2.5\nmax-body-size = \"1MiB\"\n\
                    no-inject = true\nno-overlay = \"off\"\n";
        let Manifest { dependencies, has_dev_group, options, .. } = parse(text).expect("valid");
        assert!(!has_dev_group);
        assert_eq!(dependencies, ["polars>=1"]);
        assert_eq!(options.port, Some(8080));
        assert_eq!(options.modules, ["a", "b"]);
        assert_eq!(options.request_timeout, Some(std::time::Duration::from_millis(2500)));
        assert_eq!(options.max_body_size, Some(1 << 20));
        assert_eq!((options.no_inject, options.no_overlay), (Some(true), Some(false)));
    }

    #[test]
    fn a_value_in_place_of_the_table_is_an_error_with_its_line() {
        let error = parse("[tool]\nsnaxum = 8080\n").err().expect("a number").to_string();
        assert!(error.starts_with("pyproject.toml:2: `tool.snaxum` is not a table"), "{error}");
        assert!(parse("tool = 1\n").is_ok(), "it belongs to other programs");
    }

    #[test]
    fn the_table_of_cors_sets_the_options_of_its_name() {
        let text = "[tool.snaxum]\ncompression = true\n\n[tool.snaxum.cors]\n\
                    allow-origins = [\"https://a.example\"]\nallow_methods = \"get\"\n\
                    allow-credentials = true\nmax-age = \"10m\"\n";
        let options = parse(text).expect("valid").options;
        assert_eq!(options.cors_allow_origins, ["https://a.example"]);
        assert_eq!(options.cors_allow_methods, ["GET"]);
        assert_eq!(options.cors_max_age, Some(std::time::Duration::from_secs(600)));
        assert_eq!((options.cors_allow_credentials, options.compression), (Some(true), Some(true)));

        let message = |text: &str| {
            parse(&format!("[tool.snaxum.cors]\n{text}")).err().expect("invalid").to_string()
        };
        assert_eq!(
            message("allow-orgins = [\"*\"]\n"),
            "pyproject.toml:2: unknown key `tool.snaxum.cors.allow-orgins`; did you mean \
             `allow-origins`?"
        );
        let path = message("allow-origins = [\"https://a.example/\"]\n");
        assert!(path.starts_with("pyproject.toml:2: `cors-allow-origins` is `https://a"), "{path}");
        let both = message("allow-origins = [\"*\"]\nallow-credentials = true\n");
        assert!(
            both.starts_with("pyproject.toml:3: `cors-allow-credentials` is true, and"),
            "{both}"
        );
    }

    #[test]
    fn errors_in_pyproject_name_the_line() {
        let message = |text: &str| parse(text).err().expect("invalid").to_string();
        assert_eq!(
            message("[tool.snaxum]\n\nprot = 1\n"),
            "pyproject.toml:3: unknown key `tool.snaxum.prot`; did you mean `port`?"
        );
        assert_eq!(
            message("[tool.snaxum]\nport = 70000\n"),
            "pyproject.toml:2: `port` is `70000`; it must be a number from 0 to 65535"
        );
        assert_eq!(
            message("[tool.snaxum]\nport = true\n"),
            "pyproject.toml:2: `port` is a value of the wrong type; use a string or a number"
        );
        for (line, right) in [
            (
                "module = 5",
                "`module` is a value of the wrong type; use a string, or a list of strings",
            ),
            (
                "module = [\"a\", 5]",
                "`module` is a value of the wrong type; use a string, or a list",
            ),
            ("uds = 1.5", "`uds` is a value of the wrong type; use a string"),
            ("python-dir = [\"a\"]", "`python-dir` is a value of the wrong type; use a string"),
            ("preload = 1", "`preload` is a value of the wrong type; use true or false"),
        ] {
            let error = message(&format!("[tool.snaxum]\n\n{line}\n"));
            assert!(error.starts_with(&format!("pyproject.toml:3: {right}")), "{error}");
        }
        assert!(message("[tool.snaxum\n").starts_with("pyproject.toml:1: "));
    }
}
