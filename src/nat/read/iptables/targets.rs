//! Targets (iptables-extensions(8)) to actions.

use std::net::IpAddr;

use super::options::{Given, address_range, masked, number};
use crate::nat::model::{
    Action, MarkOf, Nat, NatKind, NatTarget, RuleVerdict, Step, TableBuilder, TableFamily,
};
use crate::net::parse_prefix;

/// Adds the action of a target; one that is not understood becomes an opaque action.
pub(super) fn read(
    builder: &TableBuilder,
    goto: bool,
    name: &str,
    options: &[Given<'_>],
    steps: &mut Vec<Step>,
) {
    let action = match (builder.find_chain(name), goto) {
        (Some(chain), true) => Some(Action::Verdict(RuleVerdict::Goto(chain))),
        (Some(chain), false) => Some(Action::Verdict(RuleVerdict::Jump(chain))),
        (None, _) => match action(builder, name, options) {
            Known::Act(action) => Some(action),
            Known::Nothing => None,
            Known::No => Some(Action::Opaque(text(name, options).into())),
        },
    };
    steps.extend(action.map(Step::Act));
}

enum Known {
    Act(Action),
    /// The packet goes on unchanged.
    Nothing,
    No,
}

// === impl Known ===

impl From<Option<Action>> for Known {
    fn from(action: Option<Action>) -> Self {
        action.map_or(Self::No, Self::Act)
    }
}

fn action(builder: &TableBuilder, name: &str, options: &[Given<'_>]) -> Known {
    let find = |name: &str| options.iter().find(|given| given.name == name);
    let value = |name: &str| find(name).and_then(Given::first);
    Known::Act(match name {
        "ACCEPT" => Action::Verdict(RuleVerdict::Accept),
        "DROP" => Action::Verdict(RuleVerdict::Drop),
        "RETURN" => Action::Verdict(RuleVerdict::Return),
        "REJECT" => Action::Reject(value("--reject-with").map_or_else(
            || {
                match builder.table().family {
                    TableFamily::Ip6 => "icmp6-port-unreachable",
                    _ => "icmp-port-unreachable",
                }
                .into()
            },
            Into::into,
        )),
        "MARK" => return marked(MarkOf::Packet, options).into(),
        "CONNMARK" => return connmark(options).into(),
        "DNAT" => {
            return nat(NatKind::Destination, value("--to-destination"), true).into();
        }
        "SNAT" => return nat(NatKind::Source, value("--to-source"), true).into(),
        "MASQUERADE" => return nat(NatKind::Masquerade, value("--to-ports"), false).into(),
        "REDIRECT" => return nat(NatKind::Redirect, value("--to-ports"), false).into(),
        "NETMAP" => {
            let net = value("--to").and_then(|net| parse_prefix(net).ok());
            return net
                .map(|net| {
                    Action::Nat(Box::new(Nat {
                        kind: NatKind::Netmap,
                        target: NatTarget::Prefix(net),
                        ports: None,
                    }))
                })
                .into();
        }
        "NOTRACK" => Action::Notrack,
        "CT" if find("--notrack").is_some() => Action::Notrack,
        "NFQUEUE" | "QUEUE" => Action::Queue(text(name, options).into()),
        "TPROXY" => Action::Intercept(text(name, options).into()),
        // These look, count, log, or change what no rule and no route asks for.
        "LOG" | "NFLOG" | "ULOG" | "TRACE" | "AUDIT" | "CHECKSUM" | "TCPMSS" | "TCPOPTSTRIP"
        | "CT" | "SET" | "CLASSIFY" | "DSCP" | "TOS" | "TTL" | "HL" | "ECN" | "LED"
        | "IDLETIMER" | "RATEEST" | "SECMARK" | "CONNSECMARK" | "TEE" => return Known::Nothing,
        _ => return Known::No,
    })
}

fn marked(of: MarkOf, options: &[Given<'_>]) -> Option<Action> {
    let [given] = options else { return None };
    let (value, mask) = mark_change(given)?;
    Some(Action::SetMark { of, mask, value })
}

/// All forms say `mark = (mark & !mask) ^ value`; iptables-save prints only `--set-xmark`.
fn mark_change(given: &Given<'_>) -> Option<(u32, u32)> {
    let text = given.first()?;
    match given.name {
        "--set-xmark" => masked(text),
        "--set-mark" => masked(text).map(|(value, mask)| (value, value | mask)),
        "--or-mark" => number(text).map(|value| (value, value)),
        "--and-mark" => number(text).map(|value| (0, !value)),
        "--xor-mark" => number(text).map(|value| (value, 0)),
        _ => None,
    }
}

fn connmark(options: &[Given<'_>]) -> Option<Action> {
    let has = |name: &str| options.iter().any(|given| given.name == name);
    let mask = |name: &str| {
        let given = options
            .iter()
            .find(|given| given.name == name || given.name == "--mask");
        given.map_or(Some(u32::MAX), |given| number(given.first()?))
    };
    let to = match (has("--save-mark"), has("--restore-mark")) {
        (true, false) => MarkOf::Connection,
        (false, true) => MarkOf::Packet,
        _ => return marked(MarkOf::Connection, options),
    };
    let (of_packet, of_connection) = (mask("--nfmask")?, mask("--ctmask")?);
    let (to_mask, from_mask) = match to {
        MarkOf::Connection => (of_connection, of_packet),
        MarkOf::Packet => (of_packet, of_connection),
    };
    Some(Action::CopyMark {
        to,
        to_mask,
        from_mask,
    })
}

/// `ADDRESS[-ADDRESS][:PORT[-PORT]]`, IPv6 in brackets when ports follow; or only ports.
fn nat(kind: NatKind, target: Option<&str>, with_address: bool) -> Option<Action> {
    let (addresses, ports) = match target {
        None if with_address => return None,
        None => (None, None),
        Some(ports) if !with_address => (None, Some(ports)),
        Some(text) => split_ports(text),
    };
    let target = match addresses {
        None => NatTarget::Unchanged,
        Some(text) => {
            let (first, last) = nat_range(text)?;
            NatTarget::Addresses(first, last)
        }
    };
    let ports = match ports {
        None => None,
        Some(text) => {
            // `80-90/100`: a base port for port shifting.
            let range = text.split('/').next()?;
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        }
    };
    // What another version of iptables wrote is printed as `--to-destination :0`: where it leads is lost.
    if target == NatTarget::Unchanged && ports == Some((0, 0)) {
        return None;
    }
    Some(Action::Nat(Box::new(Nat {
        kind,
        target,
        ports,
    })))
}

fn split_ports(text: &str) -> (Option<&str>, Option<&str>) {
    let end_of_addresses = text.rfind(']').map_or(0, |at| at + 1);
    let colons = text[end_of_addresses..].matches(':').count();
    // Without brackets several colons are an IPv6 address.
    let split = if end_of_addresses > 0 || colons == 1 {
        text[end_of_addresses..]
            .find(':')
            .map(|at| at + end_of_addresses)
    } else {
        None
    };
    let (addresses, ports) = match split {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    ((!addresses.is_empty()).then_some(addresses), ports)
}

fn nat_range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if text.contains('[') {
        return address_range(&text.replace(['[', ']'], ""));
    }
    address_range(text)
}

fn text(name: &str, options: &[Given<'_>]) -> String {
    let mut text = name.to_owned();
    for given in options {
        text.push(' ');
        text.push_str(given.name);
        for arg in given.args {
            text.push(' ');
            text.push_str(arg.text);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ports_of_a_translation() {
        for (text, expected) in [
            ("10.0.0.1", (Some("10.0.0.1"), None)),
            ("10.0.0.1:80", (Some("10.0.0.1"), Some("80"))),
            (":80-90", (None, Some("80-90"))),
            ("fd00::1", (Some("fd00::1"), None)),
            ("[fd00::1]:80", (Some("[fd00::1]"), Some("80"))),
            (
                "[fd00::1]-[fd00::9]:80",
                (Some("[fd00::1]-[fd00::9]"), Some("80")),
            ),
        ] {
            assert_eq!(split_ports(text), expected, "{text}");
        }
        assert!(nat(NatKind::Destination, Some("x:y"), true).is_none());
        assert!(nat_range("[fd00::1]-[fd00::9]").is_some());
    }
}
