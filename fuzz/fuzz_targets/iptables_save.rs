//! `iptables-save`, with whatever any version or anybody else wrote into it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpath::nat::model::Ruleset;
use netpath::nat::read::read_iptables;

fuzz_target!(|text: &str| {
    let mut rules = Ruleset::default();
    if read_iptables(&mut rules, text, None, text.len() % 2 == 0).is_ok() {
        kubectl_netpath_fuzz::walk(&rules);
    }
});
