//! Runs the tests of a project, and lets them reach its server within this process.

use tokio::sync::oneshot;

use crate::error::Error;

use super::PythonRuntime;
use super::in_process_connection::Connect;
use super::messages::Control;

impl PythonRuntime {
    /// Runs pytest with these arguments on Python's main thread, and returns its exit code. Its tests
    /// reach the server through `snaxum.testing`, over connections that `connect` makes.
    ///
    /// # Errors
    ///
    /// Python stops, or tests have run before.
    pub async fn run_tests(&self, args: Vec<String>, connect: Connect) -> Result<i32, Error> {
        let lost = |what: &str| Error::RuntimeLost(what.to_owned());
        self.open_in_process(connect)?;
        let (reply, code) = oneshot::channel();
        let message = Control::RunTests { args, reply };
        self.control.try_send(message).map_err(|_| lost("it is stopping"))?;
        code.await.map_err(|_| lost("it stopped while tests ran"))?.map_err(Error::RuntimeLost)
    }

    /// Lets `snaxum.testing` reach the server, over connections that `connect` makes. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// It was called before.
    pub fn open_in_process(&self, connect: Connect) -> Result<(), Error> {
        let connect = (tokio::runtime::Handle::current(), connect);
        let lost = |_| Error::RuntimeLost("tests have run already".to_owned());
        self.connect.set(connect).map_err(lost)
    }
}
