//! The templates of new projects, `templates/new/` in the repository.
//!
//! A debug build reads them from there. Never writes a file.

use std::path::PathBuf;

use rust_embed::Embed;

use crate::project;

#[derive(Embed)]
#[folder = "templates/new"]
// A debug build lists the directory, in which a template may have been run.
#[exclude = "*/.*"]
#[exclude = "*/__pycache__/*"]
struct ProjectTemplates;

/// In the repository git and cargo would obey these names.
const RENAMED: [(&str, &str); 3] = [
    ("gitignore", ".gitignore"),
    ("dockerignore", ".dockerignore"),
    ("Cargo.toml.template", "Cargo.toml"),
];

/// The name of the project in the templates.
const NAME: &str = "project-name";
/// The name of its image, which is in lower case.
const IMAGE: &str = "image-name";

/// Returns the path and the text of each file of a project of this name; none if there is no such
/// template.
pub fn files(template: &str, name: &str) -> Vec<(PathBuf, String)> {
    let file = |path: &str| {
        let inner = path.strip_prefix(template)?.strip_prefix('/')?;
        let renamed = RENAMED.iter().find(|(stored, _)| *stored == inner);
        let file = ProjectTemplates::get(path).expect("the path came from the same list");
        let text = String::from_utf8_lossy(&file.data).replace(NAME, name);
        let text = text.replace(IMAGE, &project::package_of(name));
        Some((PathBuf::from(renamed.map_or(inner, |(_, written)| *written)), text))
    };
    ProjectTemplates::iter().filter_map(|path| file(&path)).collect()
}

/// Returns the names of the packages that a project of this template needs.
pub fn requirements(template: &str) -> Vec<String> {
    let files = files(template, NAME);
    let (_, text) = files
        .iter()
        .find(|(path, _)| path.as_os_str() == "pyproject.toml")
        .expect("each template has one");
    let written = project::requirements_of(text).expect("the templates are tested");
    written.iter().map(|requirement| project::package_of(requirement)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATES: [&str; 5] = ["minimal", "data", "ml", "rust", "fastapi"];

    fn text(template: &str, path: &str) -> String {
        let files = files(template, "demo");
        let found = files.into_iter().find(|(name, _)| name.as_os_str() == path);
        found.unwrap_or_else(|| panic!("{template} has no {path}")).1
    }

    #[test]
    fn each_template_has_the_files_of_a_project() {
        for template in TEMPLATES {
            for path in [".dockerignore", ".gitignore", "Dockerfile", "README.md", "pyproject.toml"]
            {
                assert!(!text(template, path).is_empty());
            }
            let lines = text(template, "README.md").lines().count();
            assert!(lines <= 10, "the README of {template} has {lines} lines");
            let pyproject = text(template, "pyproject.toml");
            assert!(pyproject.contains("name = \"demo\""), "{pyproject}");
            for (path, text) in files(template, "demo") {
                assert!(!text.contains(NAME), "{template}/{}", path.display());
            }
        }
        assert!(files("none", "demo").is_empty());
    }

    #[test]
    fn each_project_needs_this_version() {
        let version = env!("CARGO_PKG_VERSION");
        for template in TEMPLATES {
            let pyproject = text(template, "pyproject.toml");
            assert!(pyproject.contains(&format!("\"snaxum>={version}\"")), "{pyproject}");
        }
        let manifest = text("rust", "Cargo.toml");
        assert!(manifest.contains(&format!("snaxum = \"{version}\"")), "{manifest}");
    }

    #[test]
    fn containers_run_the_server_as_another_user_without_a_shell() {
        for template in TEMPLATES {
            let file = text(template, "Dockerfile");
            let run = if template == "rust" { "CMD [\"demo\"]" } else { "CMD [\"snaxum\", " };
            for part in ["\nUSER 1000\n", "\nHEALTHCHECK ", "\"]\n", run] {
                assert!(file.contains(part), "{template}: {part}");
            }
            let stages = file.lines().filter(|line| line.starts_with("FROM ")).count();
            assert_eq!(stages, if template == "rust" { 2 } else { 1 });
        }
    }

    #[test]
    fn images_have_a_name_that_is_valid() {
        for (template, path) in [("minimal", "README.md"), ("rust", "justfile")] {
            let files = files(template, "My_Demo");
            let (_, text) = files.iter().find(|(name, _)| name.as_os_str() == path).expect(path);
            assert!(text.contains("docker build -t my-demo ."), "{text}");
        }
    }

    #[test]
    fn the_requirements_of_a_template_are_names_of_packages() {
        assert_eq!(requirements("data"), ["jinja2", "polars", "snaxum", "pytest"]);
    }
}
