//! Bodies of `multipart/form-data`.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| snaxum::dispatcher::fuzz_multipart(body));
