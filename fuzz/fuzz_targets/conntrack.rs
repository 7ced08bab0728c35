//! `conntrack -L` and `/proc/net/nf_conntrack`, and what they count.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = netpath::facts::connections(text);
    let _ = netpath::facts::ConntrackStats::read(text).growth();
});
