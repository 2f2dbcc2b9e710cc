//! Random tokens, and how to compare them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

/// Makes a URL-safe text from `bytes` random bytes.
pub(super) fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the system gives random bytes, or nothing is safe here");
    URL_SAFE_NO_PAD.encode(buffer)
}

/// Compares in a time that does not depend on where the two differ.
pub(super) fn is_same(given: &str, token: &str) -> bool {
    given.as_bytes().ct_eq(token.as_bytes()).into()
}
