//! A program that `snaxum dev` builds, runs and replaces: the messages between the two.
//!
//! The command has the listening socket and the terminal, and is called the builder here. The program
//! embeds this library and runs the user's code. Needs no feature, and is idle in a program that is
//! started in another way.

mod builder_link;
mod inherited;
pub mod protocol;

pub(crate) use builder_link::BuilderLink;
pub(crate) use inherited::ServingParts;
