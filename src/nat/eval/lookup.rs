//! Tests: fields against values, keys against sets and maps.

use super::chain::{At, Holds};
use super::field::Seen;
use super::state::{State, Walker};
use crate::nat::model::{Backend, Data, Field, Key, Lookup, MarkOf, PacketEnd, Part, SetRef, Test};
use crate::net::Family;

// === impl Walker ===

impl Walker<'_> {
    pub(super) fn compare(&self, state: &State, test: &Test, backend: Backend) -> Holds {
        if let Field::Mark(of) = test.field
            && let Some(unknown) = super::marks::compare(state, of, test)
        {
            return unknown;
        }
        let holds = match self.see(state, test.field) {
            Seen::Number(number) => test.values.holds(number),
            Seen::Name(name) => test.values.holds_name(&name),
            Seen::Within(low, high) => match test.values.holds_within(low, high) {
                (false, _) => false,
                (_, true) => true,
                _ => return Holds::Unknown(within(test.field)),
            },
            // Without a socket xt_owner succeeds exactly where everything it asks is negated.
            Seen::Absent if matches!(test.field, Field::Uid | Field::Gid) => {
                let is_iptables = backend != Backend::Nftables;
                return yes_no(test.negated && is_iptables);
            }
            Seen::Absent => return Holds::No,
            Seen::Unknown(why) => return Holds::Unknown(why),
        };
        yes_no(holds != test.negated)
    }

    pub(super) fn look_up(&self, at: At<'_>, state: &State, lookup: &Lookup) -> Holds {
        let found = match &lookup.set {
            SetRef::Table(id) => match self.key(state, &lookup.key) {
                Ok(key) => Found::of(at.table.set(*id).elements.get(&key)),
                Err(Seen::Absent) => return Holds::No,
                Err(_) if at.table.set(*id).elements.is_empty() => Found::No,
                Err(Seen::Unknown(why)) => return Holds::Unknown(why),
                Err(_) => return Holds::Unknown("a part of the key is not known".to_owned()),
            },
            SetRef::Ipset(name, ends) => self.in_ipset(state, name, ends, 0),
            SetRef::Missing(name) => Found::Unknown(format!("set @{name} is not in the dump")),
        };
        match found {
            Found::Yes => yes_no(!lookup.negated),
            Found::No => yes_no(lookup.negated),
            Found::Unknown(why) => Holds::Unknown(why),
        }
    }

    fn in_ipset(&self, state: &State, name: &str, ends: &[PacketEnd], depth: u32) -> Found {
        let Some(sets) = &self.rules.ipsets else {
            return Found::Unknown(format!("ipset {name} was not read (give ipset save)"));
        };
        let Some(set) = sets.get(name) else {
            return Found::Unknown(format!("ipset {name} is not in ipset save"));
        };
        if set.columns.iter().any(|column| &**column == "set") {
            let members = set.elements.names();
            return members.fold(Found::No, |found, member| match found {
                Found::No if depth < 8 => self.in_ipset(state, &member, ends, depth + 1),
                other => other,
            });
        }
        let family = if set.is_v4 { Family::V4 } else { Family::V6 };
        let mut key = Vec::new();
        for (column, end) in set.columns.iter().zip(ends) {
            match &**column {
                "ip" | "net" => key.push(Field::Address(*end, family)),
                "port" if set.columns.len() == 1 => key.push(Field::Port(*end, None)),
                "port" => key.extend([Field::Protocol, Field::Port(*end, None)]),
                "iface" => key.push(match end {
                    PacketEnd::Source => Field::InInterface,
                    PacketEnd::Destination => Field::OutInterface,
                }),
                "mark" => key.push(Field::Mark(MarkOf::Packet)),
                other => {
                    return Found::Unknown(format!("ipset {name} asks for {other}"));
                }
            }
        }
        match self.key(state, &key) {
            Ok(key) => Found::of(set.elements.get(&key)),
            Err(Seen::Absent) => Found::No,
            Err(_) if set.elements.is_empty() => Found::No,
            Err(Seen::Unknown(why)) => Found::Unknown(why),
            Err(_) => Found::Unknown("a part of the key is not known".to_owned()),
        }
    }

    /// What a map gives, for every number that chance can pick.
    pub(super) fn map(
        &self,
        at: At<'_>,
        key: &Key,
        set: &SetRef,
        state: State,
    ) -> Vec<(State, Mapped)> {
        let elements = match set {
            SetRef::Table(id) => &at.table.set(*id).elements,
            SetRef::Missing(name) => {
                let why = format!("map @{name} is not in the dump");
                return vec![(state, Mapped::Unknown(why))];
            }
            SetRef::Ipset(..) => return vec![(state, Mapped::Missing)],
        };
        let (modulus, offset) = match key {
            Key::Number { modulus, offset } | Key::Hash { modulus, offset } => (*modulus, *offset),
            Key::Fields(fields) => {
                let mapped = match self.key(&state, fields) {
                    Ok(key) => elements
                        .get(&key)
                        .map_or(Mapped::Missing, |data| Mapped::To(data.clone())),
                    Err(Seen::Unknown(_) | Seen::Within(..)) if elements.is_empty() => {
                        Mapped::Missing
                    }
                    Err(Seen::Unknown(why)) => Mapped::Unknown(why),
                    Err(Seen::Within(..)) => {
                        Mapped::Unknown("a part of the key is not known".to_owned())
                    }
                    Err(_) => Mapped::Missing,
                };
                return vec![(state, mapped)];
            }
        };
        if modulus > 65_536 {
            let why = format!("a choice among {modulus}");
            return vec![(state, Mapped::Unknown(why))];
        }
        let share = 1.0 / f64::from(modulus.max(1));
        (0..modulus)
            .map(|number| {
                let number = u128::from(number) + u128::from(offset);
                let data = elements.get(&[Part::one(number)]);
                let mapped = data.map_or(Mapped::Missing, |data| Mapped::To(data.clone()));
                (state.part(share), mapped)
            })
            .collect()
    }
}

/// What a map gives for one key.
pub(super) enum Mapped {
    To(Data),
    Missing,
    Unknown(String),
}

enum Found {
    Yes,
    No,
    Unknown(String),
}

// === impl Found ===

impl Found {
    fn of(data: Option<&Data>) -> Self {
        match data {
            None | Some(Data::Nomatch) => Self::No,
            Some(Data::Opaque(text)) => Self::Unknown(format!("member {text} is not understood")),
            Some(_) => Self::Yes,
        }
    }
}

const fn yes_no(yes: bool) -> Holds {
    if yes { Holds::Yes } else { Holds::No }
}

fn within(field: Field) -> String {
    match field {
        Field::Length => "the length of the packet is not known".to_owned(),
        _ => "the client's port is not picked yet".to_owned(),
    }
}
