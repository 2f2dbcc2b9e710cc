//! The part of a server in the takeover of a program under `snaxum dev`: the builder's socket, and the
//! leave of the program before.
//!
//! Idle in a program that is started in another way. Builds and starts nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::supervision::BuilderLink;
use crate::supervision::ServingParts;
use crate::supervision::protocol::ProgramReport;

use super::forked_child::{self, id_of};
use super::listener::Listener;
use super::turns::{LoadTable, Passage, Turns};

static OF_BUILDER: OnceLock<BuilderSocket> = OnceLock::new();

/// The builder's socket, which this process has taken.
struct BuilderSocket {
    link: &'static BuilderLink,
    /// Device and inode of the socket.
    id: Option<(u64, u64)>,
    turns: &'static Turns,
}

/// Takes the builder's socket; `None` without a builder, and if it is taken already.
pub(super) fn take_socket() -> io::Result<Option<Listener>> {
    let Some(link) = BuilderLink::get() else { return Ok(None) };
    let Some(parts) = link.take_serving_parts() else { return Ok(None) };
    let ServingParts { socket, table, place, passage: [entrance, exit], bell } = parts;
    forked_child::detach_from_children([link.as_fd(), entrance.as_fd(), exit.as_fd()])?;
    let passage = Passage::from_ends(entrance, exit);
    // Only during a takeover there is another process to take turns with.
    let turns = Turns::join(LoadTable::open(&table)?, place, passage, bell, false);
    let _ = OF_BUILDER.set(BuilderSocket { link, id: id_of(socket.as_fd()), turns });
    let listener = Listener::from_fd(socket)?;
    link.report(&ProgramReport::Bound);
    Ok(Some(listener))
}

/// A server at the builder's socket.
#[derive(Clone, Copy)]
pub(super) struct Takeover {
    link: &'static BuilderLink,
    pub(super) turns: &'static Turns,
}

impl Takeover {
    /// That of a server at `socket`, if it is the builder's.
    pub(super) fn of(socket: BorrowedFd<'_>) -> Option<Self> {
        let BuilderSocket { link, id, turns } = OF_BUILDER.get()?;
        (id.is_some() && id_of(socket) == *id).then_some(Self { link, turns })
    }

    /// Reports that the server accepts.
    pub(super) fn serves(self) {
        self.link.report(&ProgramReport::Serving);
    }

    /// Returns tokens that are also cancelled when another program replaces this one.
    pub(super) fn follow(
        self,
        stop: &CancellationToken,
        stop_connections: &CancellationToken,
    ) -> (CancellationToken, CancellationToken) {
        let both = (stop.child_token(), stop_connections.child_token());
        let (accepting, connections) = both.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = self.link.leaving().cancelled() => {
                    if self.link.can_move() {
                        self.turns.leave();
                    }
                    accepting.cancel();
                    connections.cancel();
                }
                () = accepting.cancelled() => {}
            }
        });
        both
    }

    /// Reports that the server accepts no more: because it has left, or because it stops.
    pub(super) fn has_stopped(self) {
        if self.link.leaving().is_cancelled() {
            self.link.has_left();
        } else {
            self.link.report(&ProgramReport::Ending);
        }
    }
}
