//! Turns a panic of the console or of a tool into a value: the process and the app stay up.
//!
//! tower-http's layer of this name wraps services; an MCP tool is a future.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// Runs `future`; logs a panic as one of `part`, and returns `None`.
pub(super) async fn catch_panic<T>(part: &str, future: impl Future<Output = T>) -> Option<T> {
    let result = AssertUnwindSafe(future).catch_unwind().await;
    result.inspect_err(|_| tracing::error!("{part} panicked; the app is still serving")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_no_value() {
        let panics = async || -> u8 { panic!("on purpose") };
        assert_eq!(catch_panic("a test", panics()).await, None);
        assert_eq!(catch_panic("a test", async { 7 }).await, Some(7));
    }
}
