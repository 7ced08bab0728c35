//! Answers of dataplanes' agents: whatever is read is also asked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netpath::dataplane::cilium::{
    ByteOrder, Side, counters, drops, endpoints, growth, ipcache, meant, policy_maps, service_map,
    status,
};
use netpath::dataplane::{ServiceTable, calico, ovn};
use netpath::net::Protocol;

fuzz_target!(|text: &str| {
    let tables = [
        service_map(text),
        calico::nat_dump(text),
        calico::nat_dump_text(text),
        ovn::load_balancers(text),
    ];
    for table in tables.into_iter().flatten() {
        ask(&table);
    }
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for map in policy_maps(text, order).into_iter().flat_map(|maps| maps.into_values()) {
            for side in [Side::Ingress, Side::Egress] {
                let _ = map.judge(side, 2, Protocol::Tcp, 8080);
                let _ = map.judge(side, 0, Protocol::Sctp, 0);
            }
        }
    }
    if let Ok(book) = ipcache(text) {
        let _ = book.owner([10, 244, 1, 5].into());
    }
    if let Ok(counter) = counters(text) {
        assert!(growth(&counter, &counter).is_empty());
    }
    let _ = (drops(text), endpoints(text), meant(text), status(text));
});

fn ask(table: &ServiceTable) {
    for (ip, port, protocol, frontend) in table.iter() {
        let _ = (table.get(ip, port, protocol), frontend.hole(), frontend.backends().count());
    }
}
