//! How long the head of a request may be, however it was read.

use axum::http::Request;

use super::rejection::Refusal;

/// Bytes of a head: method, address and headers, each with what separates it.
pub const MAX: usize = 16 * 1024;

/// Checks that a head is not too long.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n\r\n".len();
    let headers = request.headers().iter();
    let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if line + headers > MAX { Err(Refusal::Head) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request whose head has so many bytes.
    fn of(size: usize, in_path: bool) -> Request<()> {
        let rest = "GET / HTTP/1.1\r\nhost: localhost\r\nx-long: \r\n\r\n".len();
        let long = "x".repeat(size - rest);
        let (path, value) = if in_path { (&*long, "") } else { ("", &*long) };
        let builder = Request::get(format!("/{path}")).header("host", "localhost");
        builder.header("x-long", value).body(()).expect("a request")
    }

    #[test]
    fn a_head_has_sixteen_kibibytes_whatever_they_are_of() {
        for in_path in [true, false] {
            assert!(check(&of(MAX, in_path)).is_ok());
            assert_eq!(check(&of(MAX + 1, in_path)), Err(Refusal::Head));
        }
    }
}
