//! resolv.conf, and the names it makes of one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = netpath::dns::ResolvConf::parse(text);
    for name in ["api", "api.shop.svc.cluster.local", "example.org."] {
        let _ = parsed.expansions(name);
    }
});
