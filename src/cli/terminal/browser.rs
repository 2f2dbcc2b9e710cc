//! Opens a URL of this server in the browser, without a shell.

use std::process::{Command, Stdio};
use std::thread;

use console::style;

/// Opens `url` on a thread of its own; passes a line to `print` if no browser opens.
pub(crate) fn open(url: String, print: impl FnOnce(String) + Send + 'static) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let run = move || {
        let mut command = Command::new(program);
        let command = command.arg(&url).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let problem = match status {
            Ok(status) if status.success() => return,
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let sign = style("▲").yellow();
        print(format!("  {sign} `{program}` cannot open a browser ({problem}); open {url}\n"));
    };
    if let Err(error) = thread::Builder::new().name("browser".into()).spawn(run) {
        tracing::warn!("cannot start a thread: {error}");
    }
}
