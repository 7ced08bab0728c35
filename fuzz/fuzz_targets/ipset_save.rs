//! `ipset save`, beneath rules that ask each of its sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpath::nat::model::Ruleset;
use netpath::nat::read::{ipset::ipsets, read_iptables};

fuzz_target!(|text: &str| {
    let sets = ipsets(text);
    let mut dump = "*filter\n:FORWARD ACCEPT [0:0]\n".to_owned();
    for name in sets.keys().filter(|name| !name.contains('"')).take(16) {
        for direction in ["src", "dst,dst", "dst,dst,src"] {
            dump.push_str(&format!(
                "-A FORWARD -m set --match-set \"{name}\" {direction} -j DROP\n"
            ));
        }
    }
    let mut rules = Ruleset::default();
    if read_iptables(&mut rules, dump, None, false).is_ok() {
        rules.ipsets = Some(sets);
        kubectl_netpath_fuzz::walk(&rules);
    }
});
