//! `snaxum explain FILE`: what a save of a file does, and what the last one did.

use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use snaxum::error::Error;

use super::wait::PAUSED;
use super::{Live, Reload, Status};
use crate::cli::project;
use crate::cli::render::{color, traceback};

/// An item of `/api/modules`.
#[derive(Deserialize)]
struct Module {
    module: String,
    file: String,
    generation: u64,
    imports: Vec<String>,
    wanted: Vec<String>,
    inputs: Vec<String>,
    reaches: Vec<String>,
}

/// Prints the explanation, a line a fact.
pub(crate) fn run(file: &Path) -> Result<ExitCode, Error> {
    let file = std::path::absolute(file)
        .map_err(|source| Error::Unreadable { path: file.to_owned(), source })?;
    // The server shows paths from where it really is.
    let real = file
        .parent()
        .and_then(|dir| Some(dir.canonicalize().ok()?.join(file.file_name()?)))
        .unwrap_or(file);
    let (dir, live) = Live::above(&real)?;
    let shown = real.strip_prefix(&dir).unwrap_or(&real).display().to_string();
    project::tokio_runtime()?.block_on(async {
        let status: Status = live.ask("wait").await?;
        let modules: Vec<Module> = live.ask("modules").await?;
        let reloads: Vec<Reload> = live.ask("reloads").await?;
        color::say(&color::plain_lines(&explanation(&shown, &real, &modules)));
        let last = reloads.iter().find(|reload| reload.files.contains(&shown));
        color::say(&last_save(last));
        if status.paused {
            color::say(&format!("  {PAUSED}\n"));
        }
        if status.state != "ok"
            && let Some(raised) = status.last_reload.and_then(|reload| reload.traceback)
        {
            color::say("  what is saved now does not all load:\n");
            color::say(&traceback::render(&raised));
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn explanation(shown: &str, path: &Path, modules: &[Module]) -> String {
    if let Some(module) = modules.iter().find(|module| module.file == shown) {
        let name = &module.module;
        let importers: Vec<&str> = modules
            .iter()
            .filter(|other| other.imports.contains(name))
            .map(|other| &*other.module)
            .collect();
        let importers =
            if importers.is_empty() { "no other module".to_owned() } else { importers.join(", ") };
        return format!(
            "{shown} is module `{name}`, which ran last for G{}\n  imported by {importers}\n  \
             a save of it runs: {}\n  (comments, blank lines and layout alone run nothing)\n",
            module.generation,
            module.reaches.join(", ")
        );
    }
    let readers: Vec<&Module> =
        modules.iter().filter(|module| module.inputs.iter().any(|input| input == shown)).collect();
    if !readers.is_empty() {
        let names: Vec<&str> = readers.iter().map(|module| &*module.module).collect();
        let reached: Vec<&str> = modules
            .iter()
            .map(|module| &*module.module)
            .filter(|name| readers.iter().any(|reader| reader.reaches.iter().any(|r| r == name)))
            .collect();
        return format!(
            "{shown} is read while these load: {}\n  a save of it runs: {}\n",
            names.join(", "),
            reached.join(", ")
        );
    }
    if path.extension().is_none_or(|suffix| suffix != "py") {
        return format!("{shown} is ignored: no module reads it while it loads\n");
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let wanting: Vec<&str> = modules
        .iter()
        .filter(|module| module.wanted.iter().any(|name| name.rsplit('.').next() == Some(&*stem)))
        .map(|module| &*module.module)
        .collect();
    if wanting.is_empty() {
        format!(
            "{shown} is not imported: no module that is loaded imports it, and it is none that loads by itself\n"
        )
    } else {
        format!("{shown} is wanted by {}, and did not load\n", wanting.join(", "))
    }
}

fn last_save(last: Option<&Reload>) -> String {
    let Some(reload) = last else { return "  no save of it since the start\n".to_owned() };
    let (generation, ms) = (reload.generation, reload.total_ms);
    match (&*reload.outcome, &reload.traceback) {
        ("failed", raised) => {
            let what = raised.as_ref().map_or(String::new(), |raised| {
                format!(": {}: {}", color::plain(&raised.kind), color::plain(&raised.message))
            });
            format!("  its last save was rejected{what}; G{generation} serves on\n")
        }
        ("noop", _) => format!("  its last save ran nothing: {}\n", color::plain(&reload.reason)),
        _ => format!("  its last save is live since G{generation}, after {ms:.1} ms\n"),
    }
}
