#![no_main]

#[path = "../values.rs"]
#[allow(dead_code)]
mod values;

libfuzzer_sys::fuzz_target!(|data: &[u8]| values::access(data));
