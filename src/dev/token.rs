//! Random tokens, the cookie derived from one, and how to compare them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Makes a token for the console or for MCP.
pub fn new_token() -> String {
    random_text(32)
}

/// Makes a URL-safe text from `bytes` random bytes.
pub(super) fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the system gives random bytes, or nothing is safe here");
    URL_SAFE_NO_PAD.encode(buffer)
}

/// Derives the value of the console's cookie. It is the same in each process that has the token, and
/// reveals nothing of it: a browser sends cookies to every port of a host.
pub(super) fn cookie_value(token: &str) -> String {
    let hash = Sha256::new().chain_update(b"snaxum console cookie\0").chain_update(token);
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Compares in a time that does not depend on where the two differ.
pub(super) fn is_same(given: &str, token: &str) -> bool {
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_depends_on_the_token_and_differs_from_it() {
        let token = random_text(32);
        let cookie = cookie_value(&token);
        assert_eq!(cookie, cookie_value(&token));
        assert_ne!(cookie, cookie_value(&cookie));
        assert_eq!((token.len(), cookie.len()), (43, 43));
        assert!(!cookie.contains(&token) && cookie != cookie_value("another"));
    }
}
