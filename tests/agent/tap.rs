//! The tap by itself: what it sees of a marked probe, what it does not copy, and what stays behind.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use netpath_protocol::tap::{Segment, TapLine, TapPoint};
use netpath_protocol::{Failure, Line};

use super::ground::{Said, agent, at, chain, on_own_ground, sh};

/// A tap for UDP or TCP to one address.
fn tap(protocol: &str, to: &str, rules: bool) -> String {
    format!(
        r#"{{"kind":"tap","protocol":"{protocol}","mark":777,"ports":[20001,20002,20003],"answerers":["{to}"],"listenMs":1800,"rules":{rules}}}"#
    )
}

fn probe(protocol: &str, to: &str) -> String {
    format!(
        r#"{{"kind":"markedProbe","to":"{to}","protocol":"{protocol}","mark":777,"ports":[20001,20002,20003],"spacingMs":50,"timeoutMs":600}}"#
    )
}

/// Taps a place while the client probes.
fn tapped(
    place: &'static str,
    protocol: &'static str,
    to: &'static str,
    rules: bool,
) -> (Said, Said) {
    let tap = thread::spawn(move || agent(place, &tap(protocol, to, rules)));
    // The tap is open by then; what it says is not needed before it ends.
    thread::sleep(Duration::from_millis(400));
    let probe = agent("client", &probe(protocol, to));
    (tap.join().expect("the tap ends"), probe)
}

fn lines(said: &Said) -> Vec<&TapLine> {
    let lines = said.lines.iter();
    lines
        .filter_map(|line| match line {
            Line::Tap(line) => Some(line),
            _ => None,
        })
        .collect()
}

fn points(said: &Said) -> Vec<&TapPoint> {
    let lines = lines(said).into_iter();
    lines
        .filter_map(|line| match line {
            TapLine::Point(point) => Some(point),
            _ => None,
        })
        .collect()
}

/// Packets that were copied, and pulses.
fn pulses(said: &Said) -> (u64, usize) {
    let pulses = lines(said).into_iter().filter_map(|line| match line {
        TapLine::Pulse(pulse) => Some(pulse.copied),
        _ => None,
    });
    let all: Vec<u64> = pulses.collect();
    (all.last().copied().unwrap_or_default(), all.len())
}

/// An echo server for datagrams, in both families.
fn echo(place: &str) {
    for address in ["10.0.2.2:7000", "[fd00:2::2]:7000"] {
        at(place, move || {
            let socket = UdpSocket::bind(address).expect("free");
            thread::spawn(move || {
                let mut room = [0; 64];
                while let Ok((length, from)) = socket.recv_from(&mut room) {
                    let _ = socket.send_to(&room[..length.min(4)], from);
                }
            });
        });
    }
}

on_own_ground! {
    /// Datagrams there and back, each point once, in both families; nothing is lost in tunnels of its own.
    fn a_tap_sees_every_datagram_there_and_back() {
        chain(&["client", "router", "server"]);
        echo("server");
        for to in ["10.0.2.2:7000", "[fd00:2::2]:7000"] {
            let (tap, probe) = tapped("router", "UDP", to, false);
            let attempts = probe.attempts(0);
            assert!(attempts.iter().all(|one| one.error.is_none()), "{to}: {attempts:?}");
            for shot in 0..3 {
                let own: Vec<(&str, bool, Segment)> = points(&tap)
                    .into_iter()
                    .filter(|point| point.flow == Some(shot))
                    .map(|point| (point.interface.as_str(), point.out, point.segment))
                    .collect();
                let expected = [
                    ("client", false, Segment::Datagram),
                    ("server", true, Segment::Datagram),
                    ("server", false, Segment::Reply),
                    ("client", true, Segment::Reply),
                ];
                assert_eq!(own, expected, "{to}");
            }
            let (_, pulses) = pulses(&tap);
            assert!(pulses > 10, "{pulses} pulses");
        }
    }
}

on_own_ground! {
    /// The rule that drops the packet is named, and no table stays: not even if the agent is killed.
    fn a_trace_names_the_rule_and_leaves_nothing() {
        chain(&["client", "router", "server"]);
        sh("nsenter --net=/run/netns/router nft '
            table inet corp {
              chain fw { tcp dport 90 drop; }
              chain c { type filter hook forward priority 0; jump fw; }
            }'");
        let (tap, probe) = tapped("router", "TCP", "10.0.2.2:90", true);
        assert_eq!(probe.attempts(0)[0].error, Some(Failure::Timeout));
        let rules = lines(&tap);
        let dropped = rules.iter().find_map(|line| match line {
            TapLine::Rule(rule) if rule.verdict == "drop" => Some(rule),
            _ => None,
        });
        let dropped = dropped.expect("a rule");
        assert_eq!((dropped.family.as_str(), dropped.table.as_str(), dropped.chain.as_str()), ("inet", "corp", "fw"));
        assert!(dropped.handle.is_some() && dropped.flow == points(&tap)[0].flow, "{dropped:?}");

        let tables = || {
            let listed = Command::new("nsenter").args(["--net=/run/netns/router", "nft", "list", "tables"]).output();
            String::from_utf8(listed.expect("nft runs").stdout).expect("text")
        };
        let before = tables();
        assert!(!before.contains("netpath"), "{before}");
        let mut killed = Command::new("nsenter")
            .args(["--net=/run/netns/router", super::PROGRAM, "--plan"])
            .arg(format!(r#"{{"version":1,"deadlineMs":9000,"tasks":[{}]}}"#, tap_for_long()))
            .stdout(Stdio::null())
            .spawn()
            .expect("the agent starts");
        let seen = (0..50).any(|_| {
            thread::sleep(Duration::from_millis(50));
            tables().contains("netpath")
        });
        assert!(seen, "a table of its own");
        killed.kill().expect("it runs");
        killed.wait().expect("it ends");
        assert_eq!(tables(), before);
    }
}

fn tap_for_long() -> String {
    tap("TCP", "10.0.2.2:90", true).replace("1800", "8000")
}

on_own_ground! {
    /// Ten thousand packets a second pass the node, and the tap copies those of the probe alone.
    fn a_tap_copies_nothing_but_the_probe() {
        chain(&["client", "router", "server"]);
        echo("server");
        let load = at("client", || {
            let socket = UdpSocket::bind("10.0.1.1:0").expect("free");
            thread::spawn(move || {
                let started = Instant::now();
                let mut sent = 0_u32;
                while started.elapsed() < Duration::from_secs(2) {
                    for _ in 0..100 {
                        sent += u32::from(socket.send_to(&[0; 64], "10.0.2.2:9").is_ok());
                    }
                    thread::sleep(Duration::from_millis(9));
                }
                sent
            })
        });
        let (tap, _) = tapped("router", "UDP", "10.0.2.2:7000", false);
        let sent = load.join().expect("the load ends");
        let (copied, _) = pulses(&tap);
        println!("{sent} packets in two seconds, {copied} packets copied");
        assert!(sent > 10_000, "{sent} packets are no load");
        assert!(copied <= 40, "{copied} packets were copied");
    }
}
