#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code)]
mod checks;
#[path = "../session.rs"]
#[allow(dead_code)]
mod session;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::recent(data));
