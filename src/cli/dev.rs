//! `snaxum dev`: the routes with live reload and the console.

mod restart;
mod terminal;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use snaxum::dev::Dev;
use snaxum::error::Error;
use snaxum::server::{self, DRAIN_TIMEOUT};
use snaxum::venv;

use super::style::{say, say_setup};
use super::{ProjectArgs, project, serve};
use restart::Successor;
use serve::End;
use terminal::Terminal;

/// Serves until a signal comes; says what happens as it happens.
pub(crate) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    let before = restart::take_over();
    let (project, mut builder) = project::read(args)?;
    if let Some(before) = &before {
        builder = builder.first_generation(before.generation + 1);
    }
    let config = builder.dev(true).build()?;
    let environment = venv::ensure(&project, &say_setup)?;
    // Only editors and tests miss something without it.
    if let Err(error) = venv::link_framework(&project.root, environment.as_ref()) {
        tracing::warn!("editors will not find the module `snaxum`: {error}");
    }
    let began = Instant::now();
    let successor = project::tokio_runtime()?.block_on(async {
        let was_paused = before.as_ref().is_some_and(|before| before.paused);
        let (socket, token) = before.map_or((None, None), |b| (Some(b.socket), Some(b.token)));
        let start = serve::start(config, socket).await?;
        let terminal = Terminal::start()
            .map_err(|source| Error::Io { what: "cannot start a thread".to_owned(), source })?;
        start.runtime.events().listen({
            let terminal = terminal.clone();
            move |event| terminal.tell(event)
        });
        let dev = Dev::start_with_token(&start.runtime, token)?;
        let announcement = dev.announce(start.address)?;
        say(&terminal::banner(&start.runtime, &dev, start.address, began.elapsed()));
        if was_paused {
            dev.pause();
        }
        let (runtime, wanted) = (Arc::clone(&start.runtime), restart::wanted(&dev, &project.root));
        let mut successor = Some(Successor::new(&start, dev.token())?);
        let stopping = |end| {
            if end == End::Signal {
                successor = None; // closes the socket: nobody is going to take it over
            }
            drop(announcement); // nobody should look for a server that is about to go
            dev.stop();
        };
        let front = dev.front();
        let answer = move |request, peer| front.clone().answer(request, peer);
        let serve = |listener, stop| server::serve_with(listener, answer, stop, DRAIN_TIMEOUT);
        serve::serve_until_end(start, serve, stopping, wanted).await;
        terminal.finish();
        let (generation, paused) = (runtime.serving().generation, dev.is_paused());
        Ok::<_, Error>(successor.map(|successor| (successor, generation, paused)))
    })?;
    match successor {
        Some((successor, generation, paused)) => Err(successor.take_over(generation, paused)),
        None => Ok(ExitCode::SUCCESS),
    }
}
