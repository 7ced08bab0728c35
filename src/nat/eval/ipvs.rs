//! IPVS: virtual servers in the kernel, asked on the way in and for packets made here.

use std::rc::Rc;

use super::outcome::Fate;
use super::state::{Out, State, Translation, Walker};
use super::trail::Event;
use crate::nat::model::Hook;

/// Gives a packet to a virtual server, if it is for one. From there it goes out again, past OUTPUT's
/// rules, to POSTROUTING, or to a real server here; what is for no virtual server joins `next`.
pub(super) fn serve(walker: &mut Walker<'_>, hook: Hook, state: State, next: &mut Vec<State>) {
    let packet = state.packet;
    let servers = walker.rules.virtual_servers.iter().flatten();
    let Some(server) = servers
        .into_iter()
        .find(|server| server.takes(packet.protocol, packet.dst, packet.dport))
    else {
        next.push(state);
        return;
    };
    let note = |text: String| Event::Note(Rc::from(text));
    let weights = server
        .real_servers
        .iter()
        .map(|real| f64::from(real.weight));
    let total: f64 = weights.sum();
    if total <= 0.0 {
        let mut state = state;
        let text = format!("IPVS: {} has no real server", server.address);
        state.trail = state.trail.and(note(text));
        walker.end(state, Fate::Reject("icmp-port-unreachable".into()));
        return;
    }
    for real in server.real_servers.iter().filter(|real| real.weight > 0) {
        let mut part = state.part(f64::from(real.weight) / total);
        let text = format!("IPVS: {} to {}", server.address, real.address);
        part.trail = part.trail.and(note(text));
        part.packet = packet.to(real.address.ip(), real.address.port());
        part.destination_nat = Translation::Changed;
        if hook == Hook::Output {
            next.push(part);
            continue;
        }
        for part in walker.routed(part) {
            // A real server on this host itself: the packet stays in INPUT (`ip_vs_nat_xmit`).
            if part.out == Out::None {
                next.push(part);
            } else {
                walker.goes_out(part);
            }
        }
    }
}
