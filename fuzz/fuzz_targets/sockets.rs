//! `ss -H`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for listener in netpath::facts::listeners(text) {
        let _ = listener.takes([10, 0, 0, 1].into());
    }
});
