//! Objects as YAML or JSON: a stream, a List, a document.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = netpath::cluster::snapshot::parse("fuzz", text);
});
