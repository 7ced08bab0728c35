//! `nft -j list ruleset`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpath::nat::model::Ruleset;
use netpath::nat::read::read_nft;

fuzz_target!(|text: &str| {
    let mut rules = Ruleset::default();
    if read_nft(&mut rules, text).is_ok() {
        kubectl_netpath_fuzz::walk(&rules);
    }
});
