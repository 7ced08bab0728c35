//! `ipvsadm-save -n`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpath::nat::model::Ruleset;
use netpath::nat::read::ipvs::virtual_servers;

fuzz_target!(|text: &str| {
    kubectl_netpath_fuzz::walk(&Ruleset {
        virtual_servers: Some(virtual_servers(text)),
        ..Ruleset::default()
    });
});
