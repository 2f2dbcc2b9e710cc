//! Pages that get the script of the console.

#![no_main]

libfuzzer_sys::fuzz_target!(|page: &str| snaxum::dev::fuzz_html(page));
