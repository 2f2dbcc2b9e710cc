//! Messages that a client sends over the event socket.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| snaxum::dev::fuzz_client_message(text));
