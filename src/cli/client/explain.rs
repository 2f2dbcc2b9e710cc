//! `snaxum explain FILE`: explains what a save of a file runs, and what the last save did.

use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use snaxum::error::Error;
use snaxum::message::Reload;

use super::connection::DevClient;
use super::server_status::StatusResponse;
use crate::cli::project;
use crate::cli::render::{PAUSED, color, traceback};

/// An item of `/api/modules`.
#[derive(Deserialize)]
struct ModuleNode {
    module: String,
    file: String,
    generation: u64,
    imports: Vec<String>,
    missing_imports: Vec<String>,
    inputs: Vec<String>,
    dependents: Vec<String>,
}

/// Prints the explanation, one fact per line.
pub(crate) fn run(file: &Path) -> Result<ExitCode, Error> {
    let file = std::path::absolute(file)
        .map_err(|source| Error::Unreadable { path: file.to_owned(), source })?;
    // The server shows paths without symlinks.
    let real = file
        .parent()
        .and_then(|dir| Some(dir.canonicalize().ok()?.join(file.file_name()?)))
        .unwrap_or(file);
    let (dir, client) = DevClient::above(&real)?;
    let shown = real.strip_prefix(&dir).unwrap_or(&real).display().to_string();
    project::tokio_runtime()?.block_on(async {
        let status: StatusResponse = client.get("wait").await?;
        let modules: Vec<ModuleNode> = client.get("modules").await?;
        let reloads: Vec<Reload> = client.get("reloads").await?;
        color::print(&color::escape_lines(&explanation(&shown, &real, &modules)));
        let last = reloads.iter().find(|reload| reload.files.contains(&shown));
        color::print(&last_save(last));
        if status.paused {
            color::print(&format!("  {PAUSED}\n"));
        }
        if status.state != "ok"
            && let Some(raised) = status.last_reload.and_then(|reload| reload.traceback)
        {
            color::print("  the saved code does not load:\n");
            color::print(&traceback::render(&raised));
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn explanation(shown: &str, path: &Path, modules: &[ModuleNode]) -> String {
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
            "{shown} is module `{name}`, which last ran in version {}\n  imported by {importers}\n  \
             saving it runs: {}\n  (a change of comments, blank lines or layout runs nothing)\n",
            module.generation,
            module.dependents.join(", ")
        );
    }
    let readers: Vec<&ModuleNode> =
        modules.iter().filter(|module| module.inputs.iter().any(|input| input == shown)).collect();
    if !readers.is_empty() {
        let names: Vec<&str> = readers.iter().map(|module| &*module.module).collect();
        let rerun: Vec<&str> = modules
            .iter()
            .map(|module| &*module.module)
            .filter(|name| readers.iter().any(|reader| reader.dependents.iter().any(|r| r == name)))
            .collect();
        return format!(
            "{shown} is read by modules while they load: {}\n  saving it runs: {}\n",
            names.join(", "),
            rerun.join(", ")
        );
    }
    if path.extension().is_none_or(|suffix| suffix != "py") {
        return format!("{shown} is ignored: no module reads it while loading\n");
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let importers: Vec<&str> = modules
        .iter()
        .filter(|module| {
            module.missing_imports.iter().any(|name| name.rsplit('.').next() == Some(&*stem))
        })
        .map(|module| &*module.module)
        .collect();
    if importers.is_empty() {
        format!("{shown} is not imported by any loaded module, and it is not an entry module\n")
    } else {
        format!("{shown} did not load; it is imported by {}\n", importers.join(", "))
    }
}

fn last_save(reload: Option<&Reload>) -> String {
    match reload {
        Some(reload) => format!("  last save: {}\n", reload.summary),
        None => "  not saved since the server started\n".to_owned(),
    }
}
