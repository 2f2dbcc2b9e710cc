//! `snaxum openapi`: writes the OpenAPI document, or compares it with a published one.
//!
//! Only the document or the changes go to stdout; load errors go to stderr.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use snaxum::error::Error;
use snaxum::openapi::{self, Comparison, Document, Effect};

use super::options::ProjectArgs;
use super::project;
use super::render::color::{escape_lines, print, print_error, print_stderr};
use super::render::contract::{summary, table};
use super::render::json;

/// The options of `snaxum openapi`.
#[derive(Args, Default)]
pub(crate) struct OpenApiOptions {
    /// Compare the document with FILE, a published one, instead of writing it; list what changed for
    /// clients, and exit with 1 if a change breaks them
    #[arg(long, value_name = "FILE", value_parser = Published::read)]
    check: Option<Published>,
    /// Form of the list of changes
    #[arg(long, value_enum, default_value_t, requires = "check")]
    format: ChangesFormat,
}

/// The form of the list of changes.
#[derive(Clone, Copy, Default, ValueEnum)]
enum ChangesFormat {
    /// A line for each, and their number.
    #[default]
    Table,
    /// One JSON list.
    Json,
}

/// The document that clients know.
#[derive(Clone)]
struct Published(Arc<Document>);

impl Published {
    fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(PathBuf::from(path)).map_err(|error| {
            format!("{error}; create it with `snaxum openapi > FILE` and commit it")
        })?;
        let document = Document::parse(&text)
            .map_err(|error| format!("the file {error}; create it with `snaxum openapi > FILE`"))?;
        Ok(Self(Arc::new(document)))
    }
}

/// Writes the document or the changes; exits with 1 if a module does not load.
pub(crate) fn run(args: ProjectArgs, options: &OpenApiOptions) -> Result<ExitCode, Error> {
    project::load(args, |runtime| {
        project::print_failures(runtime);
        if runtime.serving().failing {
            // An incomplete document would announce that the other routes are gone.
            return ExitCode::FAILURE;
        }
        match runtime.openapi_document() {
            Ok(made) => options.report(&made.text),
            Err(problem) => {
                print_error(&format!("cannot make the document: {}", escape_lines(&problem)));
                ExitCode::FAILURE
            }
        }
    })
}

impl OpenApiOptions {
    fn report(&self, text: &str) -> ExitCode {
        let Some(Published(published)) = &self.check else {
            print(&json::indented(text));
            return ExitCode::SUCCESS;
        };
        let found = match Document::parse(text) {
            Ok(document) => openapi::compare(published, &document),
            Err(error) => {
                print_error(&format!("the document of the project {error}; please report this"));
                return ExitCode::FAILURE;
            }
        };
        print(&self.list(&found));
        let is_breaking = found.changes.iter().any(|change| change.effect == Effect::Breaking);
        ExitCode::from(u8::from(is_breaking))
    }

    fn list(&self, Comparison { changes, left_out }: &Comparison) -> String {
        match self.format {
            ChangesFormat::Json => {
                if *left_out > 0 {
                    print_stderr(&format!("{left_out} more changes are not in the list\n"));
                }
                json::pretty(changes)
            }
            ChangesFormat::Table if changes.is_empty() => "no changes for clients\n".to_owned(),
            ChangesFormat::Table => {
                format!("{}\n{}\n", table(changes), summary(changes, *left_out))
            }
        }
    }
}
