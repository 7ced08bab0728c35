//! What an agent is asked.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = netpath_agent::Order::read(&mut text.as_bytes());
});
