//! Headers of handlers, and values of `Host` in dev mode.

#![no_main]

libfuzzer_sys::fuzz_target!(|value: &str| snaxum::dev::fuzz_headers(value));
