//! What the targets share: whatever was read must also be walked without a panic.

use netpath::nat::eval::{Question, Tracer};
use netpath::nat::model::Ruleset;
use netpath::net::{Packet, Protocol};
use netpath::route::Host;

/// Walks packets that the seeds have rules for, and prints every trail.
pub fn walk(rules: &Ruleset) {
    let host = Host {
        addresses: Some(vec![[192, 168, 0, 2].into()]),
        ..Host::default()
    };
    let tracer = Tracer::new(rules, &host);
    for (src, dst, port, protocol) in [
        ("10.0.0.2", "172.30.0.41", 80, Protocol::Tcp),
        ("10.0.0.2", "10.180.0.1", 53, Protocol::Udp),
        ("fd00:10::2", "fd00:172:30::41", 80, Protocol::Tcp),
    ] {
        let (Ok(src), Ok(dst)) = (src.parse(), dst.parse()) else {
            continue;
        };
        let packet = Packet::new(src, dst, port, protocol);
        for question in [
            Question::incoming(packet, "pod0"),
            Question::made_here(packet),
        ] {
            let answer = tracer.walk(&question);
            let total: f64 = answer.outcomes.iter().filter_map(|one| one.probability).sum();
            assert!(total < 1.0 + 1e-6, "more than every packet: {total}");
            for outcome in &answer.outcomes {
                for step in &outcome.trail {
                    let _ = step.to_string();
                }
            }
        }
    }
}
