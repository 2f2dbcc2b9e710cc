//! `snaxum new`: writes a project from a template.
//!
//! Asks questions on a terminal only. After a failure nothing that it has written is there.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Command, ValueEnum};
use snaxum::error::Error;
use snaxum::{build_info, project, project_templates, venv};

use super::render::color::{escape, print, print_error, print_stderr};

/// The arguments of `snaxum new`.
#[derive(Args)]
pub(crate) struct NewArgs {
    /// Directory to create; its last part is the name of the project. Asked for on a terminal
    #[arg(value_name = "NAME")]
    directory: Option<PathBuf>,
    /// Kind of project [default: minimal]
    #[arg(long, value_enum)]
    template: Option<Template>,
}

/// A kind of project.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// One route and its test
    Minimal,
    /// Charts of uploaded tables, with polars
    Data,
    /// Predictions of a model, with numpy and the process pool
    Ml,
    /// An axum server with endpoints in Rust and in Python
    Rust,
    /// An application of FastAPI
    Fastapi,
}

/// Creates the project; `command` is the whole command line.
pub(crate) fn run(args: NewArgs, command: Command) -> Result<ExitCode, Error> {
    let (target, template) = match args.directory {
        Some(directory) => {
            let template = args.template.unwrap_or(Template::Minimal);
            (Target::new(&directory, template)?, template)
        }
        None if io::stdin().is_terminal() && io::stderr().is_terminal() => {
            match ask(args.template) {
                Some(answers) => answers,
                None => return Ok(ExitCode::FAILURE), // the input has ended
            }
        }
        None => return Ok(usage(command)),
    };
    let mut written = Written(Vec::new());
    for (path, text) in project_templates::files(&template.name(), &target.name) {
        if let Err(error) = written.file(&target.directory.join(path), &text) {
            written.remove();
            return Err(error);
        }
    }
    print(&target.next_steps(template, build_info::is_hosted(), venv::has_uv()));
    Ok(ExitCode::SUCCESS)
}

/// Prints that the name is missing.
fn usage(mut command: Command) -> ExitCode {
    command.build();
    let new = command.find_subcommand_mut("new").expect("it is this command");
    let error = new.error(ErrorKind::MissingRequiredArgument, "the name of the project is missing");
    let _ = error.print();
    ExitCode::from(2)
}

/// Asks for what the command line does not have; `None` at the end of the input.
fn ask(template: Option<Template>) -> Option<(Target, Template)> {
    let target =
        |path: &Path, template| Target::new(path, template).map_err(|error| error.to_string());
    let first =
        prompt("name: ", |line| target(Path::new(line), template.unwrap_or(Template::Minimal)))?;
    if let Some(template) = template {
        return Some((first, template));
    }
    for value in Template::value_variants() {
        let value = value.to_possible_value().expect("no template is skipped");
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        print_stderr(&format!("  {:<9}{help}\n", value.get_name()));
    }
    prompt("template [minimal]: ", |line| {
        let line = if line.is_empty() { "minimal" } else { line };
        let template =
            Template::from_str(line, true).map_err(|_| format!("no template `{line}`"))?;
        Ok((target(&first.given, template)?, template))
    })
}

/// Asks until the line is valid; `None` at the end of the input.
fn prompt<T>(question: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    loop {
        print_stderr(question);
        let mut line = String::new();
        if io::stdin().read_line(&mut line).ok()? == 0 {
            print_stderr("\n");
            return None;
        }
        match read(line.trim()) {
            Ok(value) => return Some(value),
            Err(problem) => print_error(&escape(&problem)),
        }
    }
}

impl Template {
    fn name(self) -> String {
        let value = self.to_possible_value().expect("no template is skipped");
        value.get_name().to_owned()
    }
}

/// The project to create: an empty directory, or none yet, with a valid name.
struct Target {
    directory: PathBuf,
    /// The directory as it was given.
    given: PathBuf,
    name: String,
}

impl Target {
    fn new(given: &Path, template: Template) -> Result<Self, Error> {
        let refuse = |problem: &str| Error::NewProject {
            path: given.to_owned(),
            problem: problem.to_owned(),
        };
        let directory = match given.file_name() {
            None if given.as_os_str().is_empty() => return Err(refuse("its name is empty")),
            None => given.canonicalize(), // such as `.`
            Some(_) => std::path::absolute(given),
        };
        let directory =
            directory.map_err(|source| Error::Unwritable { path: given.to_owned(), source })?;
        let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        check_name(name, template).map_err(|problem| refuse(&problem))?;
        match fs::read_dir(&directory).map(|mut entries| entries.next().is_some()) {
            Ok(false) => {}
            Ok(true) => return Err(refuse("the directory is not empty; choose another name")),
            // A dangling link is there, too.
            Err(_) if directory.symlink_metadata().is_err() => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Error::Unwritable { path: given.to_owned(), source: error });
            }
            Err(_) => return Err(refuse("it exists and is not a directory; choose another name")),
        }
        Ok(Self { name: name.to_owned(), given: given.to_owned(), directory })
    }

    /// Returns the commands that come next.
    fn next_steps(&self, template: Template, is_hosted: bool, has_uv: bool) -> String {
        let given = self.given.display().to_string();
        let mut lines = vec![format!("created `{}`; next:", escape(&given))];
        if self.given.as_os_str() != "." {
            lines.push(format!("  cd {}", shell_word(&given)));
        }
        if template == Template::Rust {
            lines.push("  cargo run -- --dev     # serve with live reload of Python".to_owned());
            lines.push("  just test              # run the tests".to_owned());
        } else {
            let runner = match (is_hosted, has_uv) {
                (true, true) => "uv run ",
                (true, false) => {
                    // `--group` needs a new pip.
                    lines.push("  pip install . pytest".to_owned());
                    ""
                }
                (false, _) => "", // `snaxum dev` makes the environment
            };
            lines.push(format!("  {runner}snaxum dev     # serve with live reload"));
            lines.push(format!("  {runner}snaxum test    # run the tests"));
        }
        lines.join("\n") + "\n"
    }
}

/// Names that cargo or rustc refuses for a program.
const NOT_IN_RUST: &str = "abstract alloc as async await become box break build const continue core \
    crate deps do dyn else enum examples extern false final fn for gen if impl in incremental let \
    loop macro match mod move mut override priv proc-macro pub ref return self static std struct \
    super test trait true try type typeof unsafe unsized use virtual where while yield axum tokio \
    tower";

/// Checks the name of a Python project; that of a Rust template is also the name of a program.
fn check_name(name: &str, template: Template) -> Result<(), String> {
    let is_inner = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_end = |letter: Option<char>| letter.is_some_and(|end| end.is_ascii_alphanumeric());
    if !name.chars().all(is_inner) || !is_end(name.chars().next()) || !is_end(name.chars().last()) {
        return Err(format!(
            "`{name}` is not a valid package name; use ASCII letters, digits, `-`, `_` and `.`, with \
             a letter or digit at both ends, such as `my-project`"
        ));
    }
    let package = project::package_of(name);
    if project_templates::requirements(&template.name()).contains(&package) {
        return Err(format!(
            "the project would depend on itself, since it needs the package `{package}`; choose \
             another name"
        ));
    }
    if template == Template::Rust
        && (name.contains('.')
            || name.starts_with(|letter: char| letter.is_ascii_digit())
            || NOT_IN_RUST.split_whitespace().any(|word| word == package))
    {
        return Err(format!(
            "`{name}` is not a valid name of a Rust program; use letters, digits, `-` and `_`, with a \
             letter first, and no keyword"
        ));
    }
    Ok(())
}

/// Quotes a path for a shell if it needs it.
fn shell_word(path: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if path.chars().all(is_plain) && !path.starts_with('-') {
        return path.to_owned();
    }
    format!("'{}'", escape(path).replace('\'', r"'\''"))
}

/// The files and directories that were written, in order.
struct Written(Vec<PathBuf>);

impl Written {
    fn file(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let error = |source| Error::Unwritable { path: path.to_owned(), source };
        self.directory(path.parent().expect("it is in the project"))?;
        let mut file = File::create_new(path).map_err(error)?;
        self.0.push(path.to_owned());
        file.write_all(text.as_bytes()).map_err(error)
    }

    fn directory(&mut self, path: &Path) -> Result<(), Error> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(path)
            .map_err(|source| Error::Unwritable { path: path.to_owned(), source })?;
        self.0.push(path.to_owned());
        Ok(())
    }

    /// Removes all of them.
    fn remove(self) {
        for path in self.0.iter().rev() {
            let _ = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_package() {
        for name in ["demo", "Demo_2", "a", "my-project", "7up", "a.b"] {
            assert_eq!(check_name(name, Template::Minimal), Ok(()), "{name}");
        }
        for name in ["", "-a", "a-", ".a", "a b", "a/b", "é", "a\n", "snaxum", "Snaxum", "PyTest"]
        {
            assert!(check_name(name, Template::Minimal).is_err(), "{name}");
        }
        for name in ["7up", "a.b", "fn", "test", "tokio", "proc_macro", "polars"] {
            assert!(check_name(name, Template::Rust).is_err(), "{name}");
        }
        assert_eq!(check_name("fn", Template::Minimal), Ok(()));
    }

    #[test]
    fn the_next_steps_are_commands_of_the_tool_that_is_there() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let target = Target::new(&parent.path().join("demo"), Template::Data).expect("a target");
        for (is_hosted, has_uv, install, dev) in [
            (true, true, false, "  uv run snaxum dev "),
            (true, false, true, "  snaxum dev "),
            (false, true, false, "  snaxum dev "),
        ] {
            let steps = target.next_steps(Template::Data, is_hosted, has_uv);
            assert_eq!(steps.contains("\n  pip install . pytest\n"), install, "{steps}");
            assert!(steps.contains(dev), "{steps}");
        }
    }

    #[test]
    fn a_failure_removes_what_was_written_and_nothing_else() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let project = parent.path().join("a/demo");
        let mut written = Written(Vec::new());
        written.file(&project.join("python/app.py"), "").expect("it is new");
        fs::write(project.join("other"), "").expect("a file of another program");
        assert!(written.file(&project.join("other"), "").is_err(), "it is there");
        written.remove();

        let names = |path: &Path| -> Vec<_> {
            let entries = fs::read_dir(path).expect("a directory");
            entries.map(|entry| entry.expect("an entry").file_name()).collect()
        };
        assert_eq!(names(&project), ["other"]);
        fs::remove_dir_all(parent.path().join("a")).expect("ours");

        let mut written = Written(Vec::new());
        written.file(&project.join("python/app.py"), "").expect("it is new");
        written.remove();
        assert!(names(parent.path()).is_empty());
    }

    #[test]
    fn a_path_with_spaces_is_quoted() {
        assert_eq!(shell_word("a/demo"), "a/demo");
        assert_eq!(shell_word("it's a/demo"), r"'it'\''s a/demo'");
    }
}
