#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sealpost_fuzz::run("rotation", bytes));
