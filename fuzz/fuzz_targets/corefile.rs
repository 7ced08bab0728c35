//! CoreDNS configuration, and what it does with a name.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(corefile) = netpath::dns::Corefile::parse(text) else {
        return;
    };
    for name in ["api.shop.svc.cluster.local", "example.org", ""] {
        let _ = netpath::dns::handler(&corefile, name, netpath::net::Family::V4);
    }
});
