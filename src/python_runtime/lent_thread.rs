//! A thread that the program lends to the runtime: the main thread of the interpreter that has
//! imported the extension module.
//!
//! Python delivers signals there, and libraries compare threads with it. Knows nothing of what runs.

use std::sync::{OnceLock, mpsc};

type Work = Box<dyn FnOnce() + Send>;

static LENT: OnceLock<(libc::pthread_t, mpsc::Sender<Work>)> = OnceLock::new();

/// The right to lend the current thread.
#[derive(Debug)]
pub struct LentThread(mpsc::Receiver<Work>);

impl LentThread {
    /// Offers the current thread; `None` if one has been offered.
    pub fn offer() -> Option<Self> {
        let (sender, receiver) = mpsc::channel();
        // SAFETY: has no precondition.
        let thread = unsafe { libc::pthread_self() };
        LENT.set((thread, sender)).is_ok().then_some(Self(receiver))
    }

    /// Runs what the runtime needs run here, until the process ends. The thread must not be attached
    /// to the interpreter.
    pub fn work(&self) -> ! {
        loop {
            match self.0.recv() {
                Ok(work) => work(),
                Err(_) => unreachable!("the sender is never dropped"),
            }
        }
    }
}

/// Runs `work` in the lent thread, and returns that thread and a receiver that ends with the work;
/// gives `work` back if none was lent.
pub(super) fn run<W: FnOnce() + Send + 'static>(
    work: W,
) -> Result<(libc::pthread_t, mpsc::Receiver<()>), W> {
    let Some((thread, sender)) = LENT.get() else { return Err(work) };
    let (ends, ended) = mpsc::channel::<()>();
    let sent = sender.send(Box::new(move || {
        let _ends = ends;
        work();
    }));
    debug_assert!(sent.is_ok(), "a lent thread works until the process ends");
    Ok((*thread, ended))
}
