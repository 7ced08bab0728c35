//! Notations of nft that the corpora lack; each was found wrong by the kernel or by reading its lists.

use netpath::nat::eval::{Answer, Fate, Question, Tracer};
use netpath::nat::model::Ruleset;
use netpath::nat::read::read_nft;
use netpath::net::{Packet, Protocol};
use netpath::route::Host;
use serde_json::{Value, json};

/// What becomes of a packet to 10.96.0.1:80, which is translated, then filtered by rules.
fn walk(protocol: Protocol, family: &str, rules: &[Value]) -> Answer {
    let place = |mut content: Value| {
        content["family"] = json!(family);
        content["table"] = json!("t");
        content
    };
    let base = |name: &str, kind: &str, hook: &str, priority: i32| json!({"chain": place(json!({"name": name, "type": kind, "hook": hook, "prio": priority, "policy": "accept"}))});
    let rule =
        |chain: &str, expr: &Value| json!({"rule": place(json!({"chain": chain, "expr": expr}))});
    let mut objects = vec![
        json!({"table": {"family": family, "name": "t"}}),
        base("nat", "nat", "prerouting", -100),
        base("filter", "filter", "forward", 0),
        rule(
            "nat",
            &json!([{"dnat": {"family": "ip", "addr": "10.0.2.10", "port": 8080}}]),
        ),
    ];
    objects.extend(rules.iter().map(|expr| rule("filter", expr)));
    let mut ruleset = Ruleset::default();
    read_nft(&mut ruleset, json!({"nftables": objects}).to_string()).expect("a listing");
    assert_eq!(ruleset.notes, Vec::<String>::new());
    let host = Host {
        addresses: Some(Vec::new()),
        ..Host::default()
    };
    let packet = Packet::new([10, 0, 1, 1].into(), [10, 96, 0, 1].into(), 80, protocol);
    Tracer::new(&ruleset, &host).walk(&Question::incoming(packet, "client"))
}

/// The only fate.
fn fate(protocol: Protocol, rules: &[Value]) -> Fate {
    let answer = walk(protocol, "ip", rules);
    assert!(
        answer.is_certain() && answer.outcomes.len() == 1,
        "{answer:#?}"
    );
    answer.outcomes[0].fate.clone()
}

#[test]
fn a_map_of_states_has_no_bits_of_translations() {
    let state = json!({"ct": {"key": "state"}});
    let map = json!({"set": [["established", {"accept": null}], ["new", {"drop": null}]]});
    let rules = [json!([{"vmap": {"key": state, "data": map}}])];
    assert_eq!(fate(Protocol::Tcp, &rules), Fate::Drop);
}

#[test]
fn the_whole_status_is_not_known() {
    let status = json!({"ct": {"key": "status"}});
    let rule = json!([{"match": {"op": "==", "left": status, "right": "dnat"}}, {"drop": null}]);
    assert!(!walk(Protocol::Tcp, "ip", &[rule]).is_certain());
}

#[test]
fn an_exclamation_mark_asks_for_bits_that_are_missing() {
    let status = json!({"ct": {"key": "status"}});
    for (bit, dropped) in [("dnat", false), ("snat", true)] {
        let rule = json!([{"match": {"op": "!", "left": status, "right": bit}}, {"drop": null}]);
        assert_eq!(fate(Protocol::Tcp, &[rule]) == Fate::Drop, dropped, "{bit}");
    }
}

#[test]
fn a_reset_is_for_tcp_alone_though_the_listing_does_not_say_so() {
    let rule = json!([{"reject": {"type": "tcp reset"}}]);
    assert_eq!(
        fate(Protocol::Udp, std::slice::from_ref(&rule)),
        Fate::Forward(None)
    );
    assert_eq!(
        fate(Protocol::Tcp, &[rule]),
        Fate::Reject("tcp-reset".into())
    );
    // So is an answer of one family in a table of both.
    let rule = json!([{"reject": {"type": "icmpv6", "expr": "port-unreachable"}}]);
    let answer = walk(Protocol::Tcp, "inet", &[rule]);
    assert_eq!(answer.outcomes[0].fate, Fate::Forward(None));
}

#[test]
fn a_comparison_with_a_generated_number_is_chance() {
    let number = json!({"numgen": {"mode": "random", "mod": 10, "offset": 0}});
    let rule = json!([{"match": {"op": "<", "left": number, "right": 3}}, {"drop": null}]);
    let answer = walk(Protocol::Tcp, "ip", &[rule]);
    let dropped = answer.outcomes.iter().find(|one| one.fate == Fate::Drop);
    let share = dropped
        .and_then(|one| one.probability)
        .expect("some are dropped");
    assert!((share - 0.3).abs() < 1e-9, "{share}");
}
