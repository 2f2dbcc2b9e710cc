//! A project on disk: DIR, its `pyproject.toml`, its options.
//!
//! Reads; never writes and never runs anything. [`crate::venv`] makes what is missing.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::config::{
    self, COLLECTING, ENV_FILE, OPTION_NAMES, Options, SWITCHES, SnaxumConfig, SnaxumConfigBuilder,
};
use crate::error::Error;

/// A directory that holds `python/`, and perhaps `pyproject.toml` and `.venv/`.
#[derive(Debug)]
pub struct Project {
    /// Absolute.
    pub root: PathBuf,
    /// `[project] dependencies`, as written.
    pub dependencies: Vec<String>,
    /// What `[tool.snaxum]` sets.
    pub options: Options,
}

impl Project {
    /// Reads the project in `dir`.
    ///
    /// # Errors
    ///
    /// No such directory, or a `pyproject.toml` that cannot be understood, with its line.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let root = dir.canonicalize().map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Error::NoProject(dir.to_owned()),
            _ => Error::Unreadable { path: dir.to_owned(), source },
        })?;
        if !root.is_dir() {
            return Err(Error::NoProject(dir.to_owned()));
        }
        fs::read_dir(&root).map_err(|source| Error::Unreadable { path: root.clone(), source })?;
        let path = root.join("pyproject.toml");
        let (dependencies, options) = match fs::read_to_string(&path) {
            Ok(text) => parse(&text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Default::default(),
            Err(source) => return Err(Error::Unreadable { path, source }),
        };
        Ok(Self { root, dependencies, options })
    }

    /// Starts a configuration from `options` (the command line and the environment), then from
    /// `[tool.snaxum]`. A relative python dir is relative to the project.
    pub fn configure(&self, options: Options) -> SnaxumConfigBuilder {
        let mut options = options.or(self.options.clone());
        let python_dir = options.python_dir.take().unwrap_or_else(|| PathBuf::from("python"));
        options.python_dir = Some(self.root.join(python_dir));
        options.env_file.get_or_insert_with(|| PathBuf::from(ENV_FILE));
        SnaxumConfig::builder().project_dir(&self.root).options(options)
    }
}

/// Reads `SNAXUM_*`. A name that is nearly an option's is worth a warning: returned as text.
///
/// # Errors
///
/// A value that is out of its range.
pub fn options_from_env() -> Result<(Options, Vec<String>), Error> {
    let mut options = Options::default();
    let mut warnings = Vec::new();
    for (key, value) in env::vars_os() {
        let Some(tail) = key.to_str().and_then(|key| key.strip_prefix("SNAXUM_")) else { continue };
        if tail == "WATCH" {
            continue; // no option: how the dev mode's watcher sees, a matter of this machine
        }
        let name = tail.to_ascii_lowercase().replace('_', "-");
        let Some(name) = OPTION_NAMES.into_iter().find(|known| **known == name) else {
            let hint = config::nearest_option(&name);
            // Other tools may have variables of their own under this prefix.
            if hint.starts_with("did you mean") {
                warnings.push(format!("SNAXUM_{tail} is no option; {hint}"));
            }
            continue;
        };
        let value = value.to_string_lossy();
        let values: Vec<&str> = match name {
            _ if COLLECTING.contains(&name) => {
                value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
            }
            _ => vec![&*value],
        };
        for value in values {
            options
                .set(name, value)
                .map_err(|problem| config::bad_value(&format!("SNAXUM_{tail}"), name, problem))?;
        }
    }
    Ok((options, warnings))
}

fn parse(text: &str) -> Result<(Vec<String>, Options), Error> {
    let origin = |offset: usize| {
        format!("pyproject.toml:{}", 1 + text[..offset.min(text.len())].matches('\n').count())
    };
    let document = DeTable::parse(text).map_err(|error| Error::BadToml {
        origin: origin(error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    let dependencies = table(document.get_ref(), "project")
        .and_then(|project| match project.get("dependencies")?.get_ref() {
            DeValue::Array(items) => {
                Some(items.iter().filter_map(|item| text_of(item.get_ref())).collect())
            }
            _ => None,
        })
        .unwrap_or_default();

    let mut options = Options::default();
    let Some(ours) = table(document.get_ref(), "tool").and_then(|tool| table(tool, "snaxum"))
    else {
        return Ok((dependencies, options));
    };
    for (key, value) in ours {
        let written = key.get_ref().to_string();
        let name = written.replace('_', "-");
        let Some(name) = OPTION_NAMES.into_iter().find(|known| **known == name) else {
            return Err(Error::UnknownKey {
                origin: origin(key.span().start),
                key: format!("tool.snaxum.{written}"),
                hint: config::nearest_option(&written),
            });
        };
        let bad = |problem| config::bad_value(&origin(value.span().start), name, problem);
        let values = match value.get_ref() {
            DeValue::Array(items) if COLLECTING.contains(&name) => {
                items.iter().map(|item| text_of(item.get_ref())).collect()
            }
            DeValue::Boolean(on) if SWITCHES.contains(&name) => Some(vec![on.to_string()]),
            single => text_of(single).map(|text| vec![text]),
        };
        let values: Vec<String> = values
            .ok_or_else(|| bad("of the wrong type; it must be a string or a number".into()))?;
        for value in values {
            options.set(name, &value).map_err(bad)?;
        }
    }
    Ok((dependencies, options))
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
    fn pyproject_gives_dependencies_and_options() {
        let text = "[project]\ndependencies = [\"polars>=1\"]\n\n[tool.snaxum]\nport = 8080\n\
                    module = [\"a\", \"b\"]\nrequest_timeout = 2.5\nmax-body-size = \"1MiB\"\n\
                    no-inject = true\nno-overlay = \"off\"\n";
        let (dependencies, options) = parse(text).expect("valid");
        assert_eq!(dependencies, ["polars>=1"]);
        assert_eq!(options.port, Some(8080));
        assert_eq!(options.modules, ["a", "b"]);
        assert_eq!(options.request_timeout, Some(std::time::Duration::from_millis(2500)));
        assert_eq!(options.max_body_size, Some(1 << 20));
        assert_eq!((options.no_inject, options.no_overlay), (Some(true), Some(false)));
    }

    #[test]
    fn errors_in_pyproject_name_the_line() {
        let message = |text| parse(text).expect_err("invalid").to_string();
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
            "pyproject.toml:2: `port` is of the wrong type; it must be a string or a number"
        );
        assert!(message("[tool.snaxum\n").starts_with("pyproject.toml:1: "));
    }
}
