//! The program of a server, started again with parameters and the descriptors that they name.
//!
//! Waits for no process.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde::Serialize;

use crate::cli::descriptors::set_inheritable;
use crate::cli::invocation::{self, HANDOVER};
use crate::cli::signal_mask;

/// The command that starts this program again, as the program on disk.
pub(super) fn command(parameters: &impl Serialize) -> io::Result<Command> {
    let mut command = invocation::program()?;
    let parameters = serde_json::to_string(parameters).expect("plain data");
    command.args(invocation::arguments()).env(HANDOVER, parameters);
    Ok(command)
}

/// Starts a process, which inherits these descriptors; returns its id.
pub(super) fn spawn(mut command: Command, descriptors: Vec<RawFd>) -> io::Result<u32> {
    // SAFETY: between fork and exec it only calls the kernel.
    unsafe {
        command.pre_exec(move || {
            descriptors.iter().for_each(|descriptor| set_inheritable(*descriptor, true));
            signal_mask::unblock();
            Ok(())
        });
    }
    command.spawn().map(|process| process.id()) // the parent waits for all
}
