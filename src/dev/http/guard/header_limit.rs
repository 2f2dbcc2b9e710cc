//! Limits the size of a request's head: its method, address and headers.

use axum::http::Request;

use super::rejection::Rejection;

/// Bytes of a head, separators included.
pub const MAX: usize = 16 * 1024;

pub(super) fn check<B>(request: &Request<B>) -> Result<(), Rejection> {
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n\r\n".len();
    let headers = request.headers().iter();
    let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if line + headers > MAX { Err(Rejection::HeadersTooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a request whose head has `size` bytes.
    fn of(size: usize, in_path: bool) -> Request<()> {
        let rest = "GET / HTTP/1.1\r\nhost: localhost\r\nx-long: \r\n\r\n".len();
        let long = "x".repeat(size - rest);
        let (path, value) = if in_path { (&*long, "") } else { ("", &*long) };
        let builder = Request::get(format!("/{path}")).header("host", "localhost");
        builder.header("x-long", value).body(()).expect("a request")
    }

    #[test]
    fn a_head_may_have_sixteen_kibibytes_in_path_and_headers() {
        for in_path in [true, false] {
            assert!(check(&of(MAX, in_path)).is_ok());
            assert_eq!(check(&of(MAX + 1, in_path)), Err(Rejection::HeadersTooLarge));
        }
    }
}
