//! Values of `Accept`, `Range` and `Host`.

#![no_main]

libfuzzer_sys::fuzz_target!(|value: &str| {
    snaxum::fuzz_accept(value);
    snaxum::fuzz_range(value);
    snaxum::fuzz_host(value);
});
