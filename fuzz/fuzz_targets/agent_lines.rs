//! What an agent wrote, line by line; what is understood survives being written again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for line in text.lines() {
        let Ok(read) = serde_json::from_str::<netpath_protocol::Line>(line) else {
            continue;
        };
        let written = serde_json::to_string(&read).expect("a line of the protocol is JSON");
        let again: netpath_protocol::Line =
            serde_json::from_str(&written).expect("what was written can be read");
        assert_eq!(serde_json::to_string(&again).ok(), Some(written));
    }
});
