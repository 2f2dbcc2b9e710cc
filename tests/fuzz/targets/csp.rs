//! Values of `Content-Security-Policy`, which must admit the script of the console.

#![no_main]

libfuzzer_sys::fuzz_target!(|header: &str| snaxum::dev::fuzz_csp(header));
