//! Statements to steps.

use std::net::IpAddr;

use super::expression;
use super::json::{Items, Json, Kind as Form};
use super::value::{self, Kind};
use crate::nat::model::{
    Action, Data, Field, Key, Lookup, MarkOf, Member, NamePattern, Nat, NatKind, NatTarget, Part,
    RuleVerdict, Set, SetRef, Step, TableBuilder, TableFamily, Values,
};
use crate::net::{Family, Protocol, parse_prefix};

/// Adds the steps of one statement. What is not understood is kept as text: a match as a doubt, a
/// statement that could end or change the packet as an opaque action.
pub(super) fn read(table: &mut TableBuilder, statement: Json<'_>, steps: &mut Vec<Step>) {
    let Some((name, content)) = statement.only() else {
        steps.push(Step::Doubt(super::render::statement(statement).into()));
        return;
    };
    let doubt = || Step::Doubt(super::render::statement(statement).into());
    let opaque = || Step::Act(Action::Opaque(super::render::statement(statement).into()));
    match name {
        "match" => {
            if comparison(table, content, steps).is_none() {
                steps.push(doubt());
            }
        }
        "vmap" => {
            let found = verdict_map(table, content).map(Step::Act);
            steps.push(found.unwrap_or_else(opaque));
        }
        // These count, note or prepare later packets.
        "counter" | "log" | "comment" | "set" | "map" | "flow" | "dup" | "ct helper"
        | "ct timeout" | "ct expectation" | "last" | "secmark" | "reset" => {}
        // Whether they let the packet pass depends on those before it.
        "limit" | "quota" | "ct count" | "meter" => steps.push(doubt()),
        "mangle" => match mangle(content) {
            Mangled::Act(action) => steps.push(Step::Act(action)),
            Mangled::Nothing => {}
            Mangled::No => steps.push(opaque()),
        },
        "notrack" => steps.push(Step::Act(Action::Notrack)),
        "reject" => {
            steps.extend(implied(table, content));
            steps.push(Step::Act(Action::Reject(reject(content).into())));
        }
        "queue" => {
            let text = super::render::statement(statement);
            steps.push(Step::Act(Action::Queue(text.into())));
        }
        "tproxy" => {
            let text = super::render::statement(statement);
            steps.push(Step::Act(Action::Intercept(text.into())));
        }
        "dnat" | "snat" | "masquerade" | "redirect" => {
            let kind = match name {
                "dnat" => NatKind::Destination,
                "snat" => NatKind::Source,
                "masquerade" => NatKind::Masquerade,
                _ => NatKind::Redirect,
            };
            let action = nat(table, kind, content).map(|nat| Action::Nat(Box::new(nat)));
            steps.push(action.map_or_else(opaque, Step::Act));
        }
        "xt" => xt(content, statement, steps),
        _ => {
            let action = verdict(table, statement).map(Action::Verdict);
            steps.push(action.map_or_else(opaque, Step::Act));
        }
    }
}

/// `accept`, `drop`, `return`, `continue`, `jump`, `goto`.
fn verdict(table: &TableBuilder, value: Json<'_>) -> Option<RuleVerdict> {
    let (name, content) = value.only()?;
    let target = || table.find_chain(content.get("target")?.as_str()?);
    Some(match name {
        "accept" => RuleVerdict::Accept,
        "drop" => RuleVerdict::Drop,
        "return" => RuleVerdict::Return,
        "continue" => RuleVerdict::Continue,
        "jump" => RuleVerdict::Jump(target()?),
        "goto" => RuleVerdict::Goto(target()?),
        _ => return None,
    })
}

/// `left op right`.
fn comparison(table: &mut TableBuilder, content: Json<'_>, steps: &mut Vec<Step>) -> Option<()> {
    let operator = content.get("op")?.as_str()?;
    let (left, right) = (content.get("left")?, content.get("right")?);
    if let Some(parts) = left.get("&") {
        steps.push(masked(operator, parts, right)?);
        return Some(());
    }
    if left.get("concat").is_some() || is_set_name(right) {
        let Key::Fields(key) = expression::key(left)? else {
            return None;
        };
        let set = set_ref(table, &key, right, false)?;
        let negated = match operator {
            "==" | "in" => false,
            "!=" => true,
            _ => return None,
        };
        steps.push(Step::Lookup(Box::new(Lookup { key, set, negated })));
        return Some(());
    }
    if let Some(Key::Number { modulus, offset } | Key::Hash { modulus, offset }) =
        expression::key(left)
    {
        let (negated, values) = constants(Kind::Number, operator, right)?;
        steps.push(Step::Chance(share(modulus, offset, negated, &values)?));
        return Some(());
    }
    let (field, family) = expression::field(left)?;
    steps.extend(
        family
            .filter(|_| table.table().family == TableFamily::Inet)
            .map(of_family),
    );
    let (negated, values) = values(field, operator, right)?;
    steps.push(Step::test_unless(negated, field, values));
    Some(())
}

/// The share of the numbers below `modulus` that satisfy a comparison.
fn share(modulus: u32, offset: u32, negated: bool, values: &Values) -> Option<f64> {
    if modulus > 65_536 {
        return None;
    }
    let numbers = (0..modulus).map(|number| u128::from(number) + u128::from(offset));
    let fitting = numbers.filter(|number| values.holds(*number) != negated);
    let fitting = u32::try_from(fitting.count()).ok()?;
    Some(f64::from(fitting) / f64::from(modulus))
}

const fn of_family(family: Family) -> Step {
    let number = match family {
        Family::V4 => 2,
        Family::V6 => 10,
    };
    Step::test(Field::NetworkFamily, Values::one(number))
}

fn is_set_name(right: Json<'_>) -> bool {
    right.as_str().is_some_and(|name| name.starts_with('@'))
}

/// `field & mask == wanted`, or `!=`.
fn masked(operator: &str, parts: Json<'_>, right: Json<'_>) -> Option<Step> {
    let (left, mask) = (parts.at(0)?, parts.at(1)?);
    let (field, _) = expression::field(left)?;
    let kind = Kind::of(field);
    let (mask, wanted) = (kind.number(mask)?, kind.number(right)?);
    let negated = match operator {
        "==" => false,
        "!=" => true,
        _ => return None,
    };
    if matches!(field, Field::State | Field::Status) {
        // Bits are tested one way only: some of them, or none.
        let bits = Values::AnyBit(mask.try_into().ok()?);
        return (wanted == 0).then(|| Step::test_unless(!negated, field, bits));
    }
    let values = Values::Masked {
        mask: mask.try_into().ok()?,
        wanted: wanted.try_into().ok()?,
    };
    Some(Step::test_unless(negated, field, values))
}

/// The values of a comparison, and whether it is negated.
fn values(field: Field, operator: &str, right: Json<'_>) -> Option<(bool, Values)> {
    // `!` is "none of these bits" (`ct status & dnat == 0` is listed so).
    let negated = matches!(operator, "!=" | "!");
    let kind = Kind::of(field);
    match field {
        // Comparing the whole status asks for bits that no rule can know.
        Field::Status if !matches!(operator, "in" | "!") => None,
        // Exactly one state bit is ever set, so equality is the same as having the bit.
        Field::State | Field::Status => {
            let bits = match right.get("set").and_then(Json::list) {
                Some(mut all) => all.try_fold(0, |bits, one| Some(bits | kind.number(one)?))?,
                None => kind.number(right)?,
            };
            Some((negated, Values::AnyBit(bits.try_into().ok()?)))
        }
        // A label is a bit number.
        Field::Label => {
            let bit = u32::try_from(kind.number(right)?).ok()?;
            Some((negated, Values::AnyBit(1u64.checked_shl(bit)?)))
        }
        Field::TcpFlags if matches!(operator, "in" | "!") => {
            let bits = kind.number(right)?.try_into().ok()?;
            Some((negated, Values::AnyBit(bits)))
        }
        // Nothing is compared: no packet that is walked has the field.
        Field::Icmp(_) => Some((negated, Values::any())),
        _ => constants(kind, operator, right),
    }
}

/// The values of a comparison with constants, and whether it is negated.
fn constants(kind: Kind, operator: &str, right: Json<'_>) -> Option<(bool, Values)> {
    let negated = operator == "!=";
    let parts: Option<Vec<Part>> = members(right)?.map(|member| kind.part(member)).collect();
    let parts = parts?;
    if kind == Kind::Interface {
        let names: Option<Box<[NamePattern]>> = parts.iter().map(name_pattern).collect();
        return matches!(operator, "==" | "!=" | "in").then_some((negated, Values::names(names?)));
    }
    let mut ranges: Vec<(u128, u128)> = Vec::new();
    for part in parts {
        match part {
            Part::Range(first, last) => ranges.push((first, last)),
            Part::Any => ranges.push((0, u128::MAX)),
            Part::Name(_) => return None,
        }
    }
    let bounds = match (operator, ranges.as_slice()) {
        ("==" | "!=" | "in", _) => return Some((negated, Values::ranges(ranges))),
        ("<", [(first, _)]) => (0, first.checked_sub(1)?),
        ("<=", [(_, last)]) => (0, *last),
        (">", [(_, last)]) => (last.checked_add(1)?, u128::from(u64::MAX)),
        (">=", [(first, _)]) => (*first, u128::from(u64::MAX)),
        _ => return None,
    };
    Some((false, Values::range(bounds.0, bounds.1)))
}

fn name_pattern(part: &Part) -> Option<NamePattern> {
    match part {
        Part::Name(name) => Some(match name.strip_suffix('*') {
            Some(beginning) => NamePattern {
                text: beginning.into(),
                is_prefix: true,
            },
            None => NamePattern {
                text: name.clone(),
                is_prefix: false,
            },
        }),
        Part::Any => Some(NamePattern {
            text: "".into(),
            is_prefix: true,
        }),
        Part::Range(..) => None,
    }
}

/// What is written out between braces, or a single value.
fn members(right: Json<'_>) -> Option<Items<'_>> {
    match right.get("set") {
        Some(all) => all.list(),
        None => Some(right.alone()),
    }
}

/// The set or map that stands on the right: by name, or written out.
fn set_ref(
    table: &mut TableBuilder,
    key: &[Field],
    right: Json<'_>,
    is_map: bool,
) -> Option<SetRef> {
    if let Some(name) = right.as_str().and_then(|name| name.strip_prefix('@')) {
        return Some(match table.find_set(name) {
            Some(id) => SetRef::Table(id),
            None => SetRef::Missing(name.into()),
        });
    }
    let kinds: Vec<Kind> = key.iter().map(|field| Kind::of(*field)).collect();
    let members = members(right)?
        .map(|value| member(table, &kinds, value, is_map))
        .collect();
    Some(SetRef::Table(table.set(Set::new("", members))))
}

/// One member of a set, or of a map: `[key, what it maps to]`.
pub(super) fn member(
    table: &TableBuilder,
    kinds: &[Kind],
    element: Json<'_>,
    is_map: bool,
) -> Member {
    let pair = (element.at(0), element.at(1), element.at(2));
    match pair {
        (Some(key), Some(target), None) if is_map => Member {
            key: value::key(kinds, key),
            data: data(table, target),
        },
        _ => Member {
            key: value::key(kinds, element),
            data: Data::None,
        },
    }
}

fn data(table: &TableBuilder, target: Json<'_>) -> Data {
    if let Some(verdict) = verdict(table, target) {
        return Data::Verdict(verdict);
    }
    let known = match target.kind() {
        Some(Form::Text) => {
            let address = target.plain().parse();
            address.ok().map(|ip| Data::Address(ip, None))
        }
        Some(Form::Number) => target.plain().parse().ok().map(Data::Port),
        _ => target.get("concat").and_then(|parts| {
            let ip = parts.at(0)?.as_str()?.parse().ok()?;
            let port = u16::try_from(parts.at(1)?.as_u64()?).ok()?;
            Some(Data::Address(ip, Some(port)))
        }),
    };
    known.unwrap_or_else(|| Data::Opaque(super::render::expression(target).into()))
}

/// `key vmap @map`.
fn verdict_map(table: &mut TableBuilder, content: Json<'_>) -> Option<Action> {
    let (key, map) = map(table, content)?;
    Some(Action::VerdictMap(Box::new((key, map))))
}

fn map(table: &mut TableBuilder, content: Json<'_>) -> Option<(Key, SetRef)> {
    let key = expression::key(content.get("key")?)?;
    let fields: &[Field] = match &key {
        Key::Fields(fields) => fields,
        Key::Number { .. } | Key::Hash { .. } => &[],
    };
    let set = set_ref(table, fields, content.get("data")?, true)?;
    Some((key, set))
}

fn nat(table: &mut TableBuilder, kind: NatKind, content: Json<'_>) -> Option<Nat> {
    let target = match content.get("addr") {
        None => NatTarget::Unchanged,
        Some(address) if address.kind() == Some(Form::Text) => {
            let address = address.plain().parse().ok()?;
            NatTarget::Addresses(address, address)
        }
        Some(other) => {
            if let Some(range) = other.get("range") {
                let bound = |at: usize| range.at(at)?.as_str()?.parse::<IpAddr>().ok();
                let (first, last) = (bound(0)?, bound(1)?);
                let is_ordered = first.is_ipv4() == last.is_ipv4() && first <= last;
                is_ordered.then_some(NatTarget::Addresses(first, last))?
            } else if let Some(prefix) = other.get("prefix") {
                let (address, length) =
                    (prefix.get("addr")?.as_str()?, prefix.get("len")?.as_u64()?);
                NatTarget::Prefix(parse_prefix(&format!("{address}/{length}")).ok()?)
            } else {
                let (key, map) = map(table, other.get("map")?)?;
                NatTarget::Map(Box::new((key, map)))
            }
        }
    };
    let ports = match content.get("port") {
        None => None,
        Some(port) => match Kind::Number.part(port)? {
            Part::Range(first, last) => Some((first.try_into().ok()?, last.try_into().ok()?)),
            _ => return None,
        },
    };
    Some(Nat {
        kind,
        target,
        ports,
    })
}

/// What a kind of answer goes without saying: the listing leaves out the match for it.
fn implied(table: &TableBuilder, content: Json<'_>) -> Option<Step> {
    match content.get("type")?.as_str()? {
        "tcp reset" => Some(Step::test(
            Field::Protocol,
            Values::one(Protocol::Tcp.number().into()),
        )),
        "icmp" if table.table().family == TableFamily::Inet => Some(of_family(Family::V4)),
        "icmpv6" if table.table().family == TableFamily::Inet => Some(of_family(Family::V6)),
        _ => None,
    }
}

fn reject(content: Json<'_>) -> String {
    let text = |key: &str| content.get(key).and_then(Json::as_str);
    match (text("type"), text("expr")) {
        (Some("tcp reset"), _) => "tcp-reset".to_owned(),
        (Some(kind), Some(why)) => format!("{kind}-{why}"),
        _ => "icmp-port-unreachable".to_owned(),
    }
}

enum Mangled {
    Act(Action),
    /// A change that no rule asks for.
    Nothing,
    No,
}

/// `key set value`.
fn mangle(content: Json<'_>) -> Mangled {
    let (Some(key), Some(value)) = (content.get("key"), content.get("value")) else {
        return Mangled::No;
    };
    match expression::field(key) {
        Some((Field::Mark(of), _)) => mark(of, value).map_or(Mangled::No, Mangled::Act),
        Some((Field::Label, _)) => Kind::Number
            .number(value)
            .and_then(|bit| u8::try_from(bit).ok())
            .map_or(Mangled::No, |bit| Mangled::Act(Action::SetLabel(bit))),
        // Addresses and ports rewritten in place.
        Some((Field::Address(..) | Field::Port(..), _)) => Mangled::No,
        _ => Mangled::Nothing,
    }
}

/// A new mark: a number, the other mark, or the old one with bits changed.
fn mark(of: MarkOf, value: Json<'_>) -> Option<Action> {
    let number = |value: Json<'_>| u32::try_from(Kind::Number.number(value)?).ok();
    if let Some(value) = number(value) {
        let mask = u32::MAX;
        return Some(Action::SetMark { of, mask, value });
    }
    let (base, keep, flip) = bits(value)?;
    if base == of {
        return Some(Action::SetMark {
            of,
            mask: !keep,
            value: flip,
        });
    }
    (flip == 0).then_some(Action::CopyMark {
        to: of,
        to_mask: u32::MAX,
        from_mask: keep,
    })
}

/// Any chain of `&`, `|` and `^` over a mark is `(mark & keep) ^ flip`.
fn bits(value: Json<'_>) -> Option<(MarkOf, u32, u32)> {
    if let Some((Field::Mark(of), _)) = expression::field(value) {
        return Some((of, u32::MAX, 0));
    }
    let (operator, operands) = value.only()?;
    let (left, right) = (operands.at(0)?, operands.at(1)?);
    let (of, keep, flip) = bits(left)?;
    let constant = u32::try_from(Kind::Number.number(right)?).ok()?;
    Some(match operator {
        "&" => (of, keep & constant, flip & constant),
        "|" => (of, keep & !constant, (flip & !constant) | constant),
        "^" => (of, keep, flip ^ constant),
        _ => return None,
    })
}

/// An extension of iptables inside nftables: the listing has its name alone.
fn xt(content: Json<'_>, statement: Json<'_>, steps: &mut Vec<Step>) {
    let text = |key: &str| content.get(key).and_then(Json::as_str);
    let rendered = || super::render::statement(statement).into();
    match (text("type"), text("name")) {
        (Some("match"), Some("comment" | "nfacct"))
        | (Some("target"), Some("LOG" | "NFLOG" | "TCPMSS" | "CHECKSUM")) => {}
        (Some("target"), Some("MASQUERADE")) => {
            steps.push(Step::Act(Action::Nat(Box::new(Nat {
                kind: NatKind::Masquerade,
                target: NatTarget::Unchanged,
                ports: None,
            }))));
        }
        (Some("target"), Some("NFQUEUE")) => steps.push(Step::Act(Action::Queue(rendered()))),
        (Some("target"), _) => steps.push(Step::Act(Action::Opaque(rendered()))),
        _ => steps.push(Step::Doubt(rendered())),
    }
}
