//! A thread that the program lends to the runtime: the main thread of the interpreter that has
//! imported the extension module.
//!
//! Python delivers signals there, and libraries compare threads with it. Knows nothing of what runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
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

    /// Runs `work` in the thread that this process has lent, if there is one, and waits for its end. Call it
    /// before the runtime starts, which occupies the thread.
    pub fn run_first(work: impl FnOnce() + Send + 'static) {
        if let Ok((_, ended)) = run(work) {
            let _ = ended.recv(); // an error: it has ended
        }
    }

    /// Runs what the runtime needs run here, until the process ends. The thread must not be attached
    /// to the interpreter.
    pub fn work(&self) -> ! {
        loop {
            match self.0.recv() {
                // A panic ends the work, as it would end a thread of its own.
                Ok(work) => drop(catch_unwind(AssertUnwindSafe(work))),
                Err(_) => unreachable!("the sender is never dropped"),
            }
        }
    }
}

/// Whether a thread was lent.
pub(super) fn is_lent() -> bool {
    LENT.get().is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_work_ends_only_the_work() {
        let (offers, offered) = mpsc::channel();
        std::thread::spawn(move || {
            let thread = LentThread::offer().expect("the first one");
            let _ = offers.send(());
            thread.work()
        });
        offered.recv().expect("the thread is lent");
        let (reports, reported) = mpsc::channel();
        let Ok((_, ended)) = run(|| panic!("expected by this test")) else {
            panic!("none is lent")
        };
        assert!(ended.recv().is_err(), "the work has ended");
        let Ok((_, ended)) = run(move || reports.send(1).expect("the test waits")) else {
            panic!("none is lent")
        };
        assert_eq!(reported.recv(), Ok(1));
        assert!(ended.recv().is_err());
    }
}
