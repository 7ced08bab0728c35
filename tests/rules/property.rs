//! What holds for every rule set: it is walked to an end, it is read again from its own print, and no
//! broken text of any tool is a panic.

use std::fmt::Write as _;
use std::fs;

use netpath::facts::{
    Sysctls, bridge_ports, connections, forwarding_entries, links, listeners, neighbours,
    route_rules, routes,
};
use netpath::nat::eval::{Answer, Question, Tracer};
use netpath::nat::model::{Policy, Ruleset, Table};
use netpath::nat::read::ipvs::{VirtualServer, virtual_servers};
use netpath::nat::read::{ipset::ipsets, read_iptables, read_nft};
use netpath::net::{Family, Packet, Protocol};
use netpath::route::Host;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::random::{ENDPOINTS, PORTS, ROUTER, RuleSet, VIPS};
use crate::nat_corpus::{cases, rulesets};
use crate::support::{corpus, project};

fn read(text: &str) -> Ruleset {
    let mut rules = Ruleset::default();
    read_iptables(&mut rules, text, Some(Family::V4), false).expect("a dump");
    rules
}

fn host() -> Host {
    Host {
        addresses: Some(vec![ROUTER.parse().expect("an address")]),
        ..Host::default()
    }
}

/// Every address, both protocols, from everywhere.
fn questions() -> Vec<Question> {
    let mut all = Vec::new();
    for dst in VIPS.iter().chain(&ENDPOINTS).chain([&ROUTER]) {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for port in PORTS {
                let (src, dst) = ("10.0.1.1".parse(), dst.parse());
                let packet = Packet::new(src.expect("one"), dst.expect("one"), port, protocol);
                all.push(Question::incoming(packet, "client"));
                all.push(Question::made_here(packet));
            }
        }
    }
    all
}

/// An answer has an end, and no more than all packets come to one.
fn is_whole(answer: &Answer) -> bool {
    let known: f64 = answer
        .outcomes
        .iter()
        .filter_map(|one| one.probability)
        .sum();
    let is_certain = answer.outcomes.iter().all(|one| one.probability.is_some());
    !answer.outcomes.is_empty() && known < 1.0 + 1e-6 && (!is_certain || known > 1.0 - 1e-6)
}

#[test]
fn every_packet_comes_to_an_end_in_every_rule_set() {
    let (host, questions) = (host(), questions());
    for seed in 0..400 {
        let text = RuleSet::new(seed).iptables();
        let rules = read(&text);
        assert_eq!(rules.notes, Vec::<String>::new());
        let tracer = Tracer::new(&rules, &host);
        for question in &questions {
            let answer = tracer.walk(question);
            assert!(
                is_whole(&answer),
                "{seed} {question:?}: {answer:#?}\n{text}"
            );
            // Interfaces out of which packets leave are not known here; nothing else is.
            let others = answer
                .doubts
                .iter()
                .filter(|doubt| !doubt.text.contains("leaves by"));
            assert_eq!(others.count(), 0, "{seed}: {:?}\n{text}", answer.doubts);
        }
    }
}

/// The tables as iptables-save would print them.
fn print(tables: &[Table]) -> String {
    let mut text = String::new();
    for table in tables {
        writeln!(text, "*{}", table.name).expect("room");
        for (name, chain) in table.named_chains() {
            let policy = match chain.base.map(|base| base.policy) {
                Some(Policy::Accept) => "ACCEPT",
                Some(Policy::Drop) => "DROP",
                None => "-",
            };
            writeln!(text, ":{name} {policy} [0:0]").expect("room");
        }
        for chain in &table.chains {
            for rule in &chain.rules {
                writeln!(text, "{}", table.text(rule)).expect("room");
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

/// Everything that a table means.
fn meaning(table: &Table) -> Vec<String> {
    let chains = table.named_chains().map(|(name, chain)| {
        let rules: Vec<_> = chain.rules.iter().map(|rule| table.steps(rule)).collect();
        format!("{name} {:?} {rules:?}", chain.base)
    });
    chains.collect()
}

fn assert_same_again(rules: &Ruleset, name: &str) {
    let family = match rules.tables.first().map(|table| table.family.name()) {
        Some("ip6") => Some(Family::V6),
        Some("ip") => Some(Family::V4),
        _ => None,
    };
    let mut again = Ruleset::default();
    read_iptables(&mut again, print(&rules.tables), family, false).expect("what was printed");
    assert_eq!(again.notes, Vec::<String>::new(), "{name}");
    assert_eq!(again.tables.len(), rules.tables.len(), "{name}");
    for (first, second) in rules.tables.iter().zip(&again.tables) {
        assert_eq!(meaning(first), meaning(second), "{name}");
    }
}

#[test]
fn what_is_printed_is_read_as_the_same() {
    for seed in 0..200 {
        let rules = read(&RuleSet::new(seed).iptables());
        assert_same_again(&rules, &format!("rule set {seed}"));
    }
    let Some(root) = corpus("nat") else { return };
    let mut count = 0;
    for folder in [
        "k8s-flows-iptables",
        "live-kubeproxy-iptables",
        "constructs",
    ] {
        for (file, case) in cases(&root.join(folder)) {
            for (dump, rules) in rulesets(&case) {
                if dump != "nft_json" {
                    assert_same_again(&rules, &file);
                    count += 1;
                }
            }
        }
    }
    println!("{count} dumps printed and read again");
}

/// The spacing and the order of keys in a listing say nothing.
#[test]
fn a_listing_means_the_same_however_it_is_laid_out() {
    let Some(root) = corpus("nat") else { return };
    for folder in [
        "k8s-flows-nftables",
        "live-kubeproxy-nftables",
        "constructs",
    ] {
        for (file, case) in cases(&root.join(folder)) {
            let listing = &case["ruleset"]["nft_json"];
            if case["mode"] != "nftables" {
                continue;
            }
            let [one, other] = [
                listing.to_string(),
                serde_json::to_string_pretty(listing).expect("JSON"),
            ]
            .map(|text| {
                let mut rules = Ruleset::default();
                read_nft(&mut rules, text).expect("a listing");
                rules.tables.iter().map(meaning).collect::<Vec<_>>()
            });
            assert_eq!(one, other, "{file}");
        }
    }
}

/// As `ipvsadm-save -n` prints it.
fn print_servers(servers: &[VirtualServer]) -> String {
    let mut text = String::new();
    for server in servers {
        let kind = match server.protocol {
            Protocol::Tcp => "-t",
            Protocol::Udp => "-u",
            Protocol::Sctp => "--sctp-service",
        };
        let address = server.address;
        let persistence = server.persistence.map(|seconds| format!(" -p {seconds}"));
        let persistence = persistence.unwrap_or_default();
        writeln!(
            text,
            "-A {kind} {address} -s {}{persistence}",
            server.scheduler
        )
        .expect("room");
        for real in &server.real_servers {
            let way = if real.masquerades { "-m" } else { "-g" };
            writeln!(
                text,
                "-a {kind} {address} -r {} {way} -w {}",
                real.address, real.weight
            )
            .expect("room");
        }
    }
    text
}

#[test]
fn virtual_servers_are_read_again_from_their_print() {
    let Some(root) = corpus("nat") else { return };
    for (file, case) in cases(&root.join("ipvs-states")) {
        let text = case["ruleset"]["ipvsadm_save_n"].as_str().expect("a dump");
        let servers = virtual_servers(text);
        assert_eq!(virtual_servers(&print_servers(&servers)), servers, "{file}");
    }
}

/// The seeds of a fuzz target; the package alone has none.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = project().join("fuzz/corpus").join(target);
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: {} is not there", folder.display());
        return vec![Vec::new()];
    };
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no seeds");
    let seeds = files.iter().map(|file| fs::read(file).expect("a seed"));
    seeds.collect()
}

/// A way to break a text.
#[derive(Debug, Clone)]
enum Damage {
    Cut(Index, Index),
    Twice(Index, Index),
    Byte(Index, u8),
    Word(Index, &'static str),
}

const WORDS: [&str; 12] = [
    "!",
    "-1",
    "18446744073709551616",
    "::/129",
    "\"",
    "\\",
    "{}",
    "[]",
    "null",
    "/0",
    "\u{fffd}",
    "-j",
];

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), at()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (at(), at()).prop_map(|(from, to)| Damage::Twice(from, to)),
        (at(), any::<u8>()).prop_map(|(place, byte)| Damage::Byte(place, byte)),
        (at(), select(&WORDS[..])).prop_map(|(place, word)| Damage::Word(place, word)),
    ]
}

/// A seed, broken in a few places.
fn broken(target: &str) -> impl Strategy<Value = String> {
    let one = select(seeds(target));
    (one, prop::collection::vec(damage(), 1..6)).prop_map(|(mut text, all)| {
        for damage in all {
            let length = text.len() + 1;
            match damage {
                Damage::Cut(from, to) | Damage::Twice(from, to) => {
                    let (a, b) = (from.index(length), to.index(length));
                    let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 200));
                    if matches!(damage, Damage::Cut(..)) {
                        text.drain(from..to);
                    } else {
                        let copy = text[from..to].to_vec();
                        text.splice(from..from, copy);
                    }
                }
                Damage::Byte(place, byte) => text.insert(place.index(length), byte),
                Damage::Word(place, word) => {
                    let at = place.index(length);
                    text.splice(at..at, word.bytes());
                }
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

fn walk_all(rules: &Ruleset) -> Result<(), TestCaseError> {
    let host = host();
    let tracer = Tracer::new(rules, &host);
    for (src, dst, protocol) in [
        ("10.0.0.2", "172.30.0.41", Protocol::Tcp),
        ("10.0.0.2", "10.180.0.1", Protocol::Udp),
        ("fd00:10::2", "fd00:172:30::41", Protocol::Tcp),
    ] {
        let (src, dst) = (src.parse(), dst.parse());
        let packet = Packet::new(src.expect("one"), dst.expect("one"), 80, protocol);
        for question in [
            Question::incoming(packet, "pod0"),
            Question::made_here(packet),
        ] {
            let answer = tracer.walk(&question);
            prop_assert!(is_whole(&answer), "{:?}: {:#?}", question, answer);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn broken_dumps_are_walked(text in broken("iptables_save")) {
        let mut rules = Ruleset::default();
        if read_iptables(&mut rules, text, None, false).is_ok() {
            walk_all(&rules)?;
        }
    }

    #[test]
    fn broken_listings_are_walked(text in broken("nft_json")) {
        let mut rules = Ruleset::default();
        if read_nft(&mut rules, text).is_ok() {
            walk_all(&rules)?;
        }
    }

    #[test]
    fn broken_sets_are_asked(text in broken("ipset_save")) {
        let sets = ipsets(&text);
        let mut dump = "*filter\n:FORWARD ACCEPT [0:0]\n".to_owned();
        for name in sets.keys().filter(|name| !name.contains('"')).take(8) {
            for directions in ["src", "dst,dst", "src,src,dst"] {
                writeln!(dump, "-A FORWARD -m set --match-set \"{name}\" {directions} -j DROP").expect("room");
            }
        }
        let mut rules = read(&dump);
        rules.ipsets = Some(sets);
        walk_all(&rules)?;
    }

    #[test]
    fn broken_virtual_servers_are_walked(text in broken("ipvsadm_save")) {
        let servers = virtual_servers(&text);
        prop_assert_eq!(&virtual_servers(&print_servers(&servers)), &servers);
        walk_all(&Ruleset { virtual_servers: Some(servers), ..Ruleset::default() })?;
    }

    #[test]
    fn broken_facts_are_refused_or_read(
        json in broken("ip_json"),
        flows in broken("conntrack"),
        sockets in broken("sockets"),
        settings in broken("sysctl"),
    ) {
        let json = json.get(1..).unwrap_or_default();
        let _ = (links(json), neighbours(json), forwarding_entries(json), bridge_ports(json), route_rules(json));
        for family in Family::ALL {
            let _ = routes(json, family);
        }
        let _ = (connections(&flows), listeners(&sockets), Sysctls::read(&settings));
    }
}
