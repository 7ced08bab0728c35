//! SRC and DST as they are typed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = text.parse::<netpath::target::Target>();
});
