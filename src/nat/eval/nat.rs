//! Translations.

use std::net::IpAddr;
use std::rc::Rc;

use super::chain::{At, Branches, ChainExit};
use super::lookup::Mapped;
use super::state::{Out, State, Tracking, Translation, Walker, join};
use crate::nat::model::{Data, Hook, Nat, NatKind, NatTarget, address_number, prefix_range};
use crate::net::Family;

/// More addresses than this are not told apart.
const SPREAD: u128 = 256;

// === impl Walker ===

impl Walker<'_> {
    /// Applies a translation; branches that it does not apply to go on to the next rule.
    pub(super) fn translate(&self, at: At<'_>, nat: &Nat, state: State, branches: &mut Branches) {
        if state.tracking != Tracking::New {
            // Nothing is translated without a connection, and nothing twice.
            branches.done.push((state, ChainExit::Accept));
            return;
        }
        let on_the_way_out = matches!(at.hook, Hook::Postrouting | Hook::Input);
        let of_source = match nat.kind {
            NatKind::Destination | NatKind::Redirect => false,
            NatKind::Source | NatKind::Masquerade => true,
            NatKind::Netmap => on_the_way_out,
        };
        if nat.kind == NatKind::Masquerade {
            let state = self.masquerade(state);
            branches.done.push((state, ChainExit::Accept));
            return;
        }
        if nat.kind == NatKind::Redirect {
            let state = self.redirect(at.hook, nat, state);
            branches.done.push((state, ChainExit::Accept));
            return;
        }
        for (mut state, chosen) in self.targets(at, nat, of_source, state) {
            match chosen {
                Chosen::To(address, port) => {
                    if of_source {
                        set_source(&mut state, Some(address));
                    } else {
                        let kept = ports(nat, state.packet.dport);
                        set_destination(&mut state, address, port.unwrap_or(kept));
                    }
                    branches.done.push((state, ChainExit::Accept));
                }
                Chosen::Missing => join(&mut branches.next, state),
                Chosen::Unknown(why) => branches.done.push((state, ChainExit::Unknown(why))),
            }
        }
    }

    /// Every address that the translation can choose, with its share.
    fn targets(
        &self,
        at: At<'_>,
        nat: &Nat,
        of_source: bool,
        state: State,
    ) -> Vec<(State, Chosen)> {
        let current = if of_source {
            state.packet.src
        } else {
            state.packet.dst
        };
        match &nat.target {
            NatTarget::Unchanged => vec![(state, Chosen::To(current, None))],
            NatTarget::Addresses(first, last) => spread(state, *first, *last),
            NatTarget::Prefix(net) => {
                let (first, last) = prefix_range(*net);
                let host_bits = last - first;
                let number = first | (address_number(current) & host_bits);
                let chosen = address_of(number, Family::of(net.addr()));
                vec![(state, Chosen::To(chosen, None))]
            }
            NatTarget::Map(map) => self
                .map(at, &map.0, &map.1, state)
                .into_iter()
                .map(|(state, mapped)| {
                    let chosen = match mapped {
                        Mapped::To(Data::Address(address, port)) => Chosen::To(address, port),
                        Mapped::To(Data::Port(port)) => Chosen::To(current, Some(port)),
                        Mapped::To(_) => {
                            Chosen::Unknown("a map holds something else than addresses".to_owned())
                        }
                        Mapped::Missing => Chosen::Missing,
                        Mapped::Unknown(why) => Chosen::Unknown(why),
                    };
                    (state, chosen)
                })
                .collect(),
        }
    }

    fn masquerade(&self, mut state: State) -> State {
        let address = match &state.out {
            Out::Hop(hop) => self.host.masquerade_source(hop, state.packet.dst),
            Out::None | Out::Somewhere => None,
        };
        set_source(&mut state, address);
        state
    }

    /// To this host: on the way out of a process to loopback, else to the first address of the
    /// interface the packet came in by.
    fn redirect(&self, hook: Hook, nat: &Nat, mut state: State) -> State {
        let family = state.packet.family();
        let port = ports(nat, state.packet.dport);
        let address = if hook == Hook::Output {
            Some(match family {
                Family::V4 => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
                Family::V6 => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            })
        } else {
            self.host.link(&state.in_interface).and_then(|link| {
                let mut usable = link.addresses.iter();
                usable
                    .find(|address| Family::of(address.ip) == family && address.is_global)
                    .map(|address| address.ip)
            })
        };
        state.redirected = true;
        let address = address.unwrap_or(state.packet.dst);
        set_destination(&mut state, address, port);
        state
    }
}

/// One choice of a translation.
enum Chosen {
    To(IpAddr, Option<u16>),
    /// The map has no such key: the rule does not apply.
    Missing,
    Unknown(String),
}

/// One of a range, the same for all packets of one source; which one is the kernel's hash.
fn spread(state: State, first: IpAddr, last: IpAddr) -> Vec<(State, Chosen)> {
    let (low, high) = (address_number(first), address_number(last));
    let count = (high - low).saturating_add(1);
    if count > SPREAD {
        let why = format!("one of the {count} addresses {first}-{last}");
        return vec![(state, Chosen::Unknown(why))];
    }
    let family = Family::of(first);
    let share = 1.0 / f64::from(u32::try_from(count).unwrap_or(1));
    (low..=high)
        .map(|number| {
            let address = address_of(number, family);
            (state.part(share), Chosen::To(address, None))
        })
        .collect()
}

fn address_of(number: u128, family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()),
        Family::V6 => IpAddr::V6(number.into()),
    }
}

/// The port stays if it is in the range, or becomes the first of it.
const fn ports(nat: &Nat, current: u16) -> u16 {
    match nat.ports {
        Some((first, last)) if current < first || current > last => first,
        _ => current,
    }
}

fn set_destination(state: &mut State, address: IpAddr, port: u16) {
    let packet = state.packet.to(address, port);
    state.destination_nat = changed(packet != state.packet);
    state.packet = packet;
}

/// Rewrites the source; with an unknown address the rule is known to have acted, no more.
fn set_source(state: &mut State, address: Option<IpAddr>) {
    state.masqueraded = true;
    state.source_nat = Translation::Changed;
    if let Some(address) = address {
        state.source_nat = changed(address != state.packet.src);
        state.packet = state.packet.masqueraded_as(address);
    }
}

const fn changed(changed: bool) -> Translation {
    if changed {
        Translation::Changed
    } else {
        Translation::Kept
    }
}

/// Undoes the translation of a connection in an answer.
pub(super) fn undo(walker: &Walker<'_>, hook: Hook, state: &mut State) {
    let Some(undo) = walker.question.reply else {
        return;
    };
    match hook {
        Hook::Prerouting | Hook::Output => {
            if let Some(client) = undo.destination {
                state.packet.dst = client;
                state.trail = state.trail.and(super::trail::Event::Note(Rc::from(format!(
                    "conntrack: masquerading undone, to {client}"
                ))));
            }
        }
        Hook::Postrouting | Hook::Input | Hook::Forward => {
            if let Some((address, port)) = undo.source {
                state.packet.src = address;
                state.packet.sport = Some(port);
            }
        }
    }
}
