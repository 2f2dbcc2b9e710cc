//! `snaxum completions` and `snaxum man`: the files that a package installs beside the command.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;
use snaxum::error::Error;

use super::render::color::print;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell, mut command: Command) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "snaxum", &mut text);
    print(&String::from_utf8_lossy(&text));
    ExitCode::SUCCESS
}

/// Prints the manual page of the command, or writes a page for each command to `directory`.
pub(crate) fn man(directory: Option<&Path>, command: Command) -> Result<ExitCode, Error> {
    let Some(directory) = directory else {
        let mut text = Vec::new();
        clap_mangen::Man::new(command).render(&mut text).expect("memory takes it");
        print(&String::from_utf8_lossy(&text));
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory))
        .map_err(|source| Error::Unwritable { path: directory.to_owned(), source })?;
    Ok(ExitCode::SUCCESS)
}
