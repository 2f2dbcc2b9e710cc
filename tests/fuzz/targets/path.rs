//! Paths of static files and of routes that read their body as a stream.

#![no_main]

libfuzzer_sys::fuzz_target!(|path: &str| snaxum::fuzz_path(path));
