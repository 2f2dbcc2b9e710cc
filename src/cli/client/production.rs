//! Commands for the production server of a project, through its socket in `.snaxum`.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::de::DeserializeOwned;
use snaxum::error::Error;
use snaxum::message::still_serving;
use snaxum::state_dir::StateDir;

use crate::cli::production::commands::{Outcome, SOCKET, ServerCommand};
use crate::cli::render::color;

/// Reloads the code of the server in new processes, and prints the outcome; `None` without a server.
pub(super) fn reload(dir: &Path) -> Result<Option<ExitCode>, Error> {
    let Some(outcome) = send::<Outcome>(dir, &ServerCommand::Reload)? else { return Ok(None) };
    if outcome.is_live {
        color::print(&format!("{}\n", color::escape(&outcome.text)));
        return Ok(Some(ExitCode::SUCCESS));
    }
    let serving = still_serving(outcome.generation);
    color::print_error(&format!("the new code does not serve; {serving}"));
    color::print_stderr(&format!("{}\n", color::escape_lines(&outcome.text)));
    Ok(Some(ExitCode::from(1)))
}

/// Sends a command, and waits for the response; `None` without a server.
pub(crate) fn send<T: DeserializeOwned>(
    dir: &Path,
    command: &ServerCommand,
) -> Result<Option<T>, Error> {
    let mut socket = match StateDir::connect_in(dir, SOCKET) {
        Ok(socket) => socket,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let what = format!(
                "cannot reach the server of `{}`; run the command as its user",
                color::escape(&dir.display().to_string())
            );
            return Err(Error::io(what)(error));
        }
        Err(_) => return Ok(None),
    };
    let lost = |error| {
        Error::io("the server has ended before it responded, or is of another version")(error)
    };
    let command = serde_json::to_string(command).expect("plain data") + "\n";
    socket.write_all(command.as_bytes()).map_err(lost)?;
    let mut response = String::new();
    socket.read_to_string(&mut response).map_err(lost)?;
    serde_json::from_str(&response).map(Some).map_err(|error| lost(error.into()))
}
