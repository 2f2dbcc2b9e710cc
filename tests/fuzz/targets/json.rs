//! Bodies whose secrets are masked.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| snaxum::dev::fuzz_json(text));
