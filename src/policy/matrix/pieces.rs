//! Ports that all rules of a row treat alike.

use super::bits::Tri;
use super::row::Row;
use super::universe::Universe;
use crate::net::{PortRange, Protocol};
use crate::policy::ends::End;
use crate::policy::model::{Direction, Port, PortNumber, Ports, Rule};

/// An interval of ports that no rule of a row cuts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub protocol: Protocol,
    pub ports: PortRange,
}

/// What the names of ports mean: to the subject for ingress, to each peer for egress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub direction: Direction,
    pub subject: &'a End,
}

/// Cuts the ports of each protocol wherever an entry of a rule begins or ends.
pub(super) fn pieces(row: &Row<'_>, names: Names<'_>, universe: &mut Universe<'_>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for protocol in Protocol::ALL {
        // Where pieces begin; the last number only closes.
        let mut cuts: Vec<u32> = vec![1, 65536];
        let rules = row
            .iter()
            .flatten()
            .flatten()
            .flat_map(|selecting| &selecting.rules);
        for (rule, _) in rules {
            let Ports::OneOf(ports) = &rule.ports else {
                continue;
            };
            for port in ports
                .iter()
                .filter(|port| port.protocol.is_none_or(|of| of == protocol))
            {
                for range in names.ranges(&port.number, protocol, universe) {
                    cuts.extend([u32::from(range.first).max(1), u32::from(range.last) + 1]);
                }
            }
        }
        cuts.sort_unstable();
        cuts.dedup();
        pieces.extend(cuts.windows(2).filter_map(|ends| {
            let first = u16::try_from(ends[0]).ok()?;
            let last = u16::try_from(ends[1] - 1).ok()?;
            let ports = PortRange { first, last };
            Some(Piece { protocol, ports })
        }));
    }
    pieces
}

/// For every rule of a row whether it covers a piece; none where that differs from peer to peer.
pub(super) fn coverage(row: &Row<'_>, piece: Piece, names: Names<'_>) -> Vec<Option<bool>> {
    let rules = row
        .iter()
        .flatten()
        .flatten()
        .flat_map(|selecting| &selecting.rules);
    rules.map(|(rule, _)| names.covers(rule, piece)).collect()
}

// === impl Names ===

impl Names<'_> {
    fn ranges(
        self,
        number: &PortNumber,
        protocol: Protocol,
        universe: &mut Universe<'_>,
    ) -> Vec<PortRange> {
        match (number, self.direction) {
            (PortNumber::Any | PortNumber::Unclear(_), _) => Vec::new(),
            (PortNumber::Range(range), _) => vec![*range],
            (PortNumber::Named(name), Direction::Ingress) => {
                let number = self.subject.named_port(name, protocol);
                number.into_iter().map(PortRange::single).collect()
            }
            (PortNumber::Named(name), Direction::Egress) => universe
                .numbers(name, protocol)
                .into_iter()
                .map(PortRange::single)
                .collect(),
        }
    }

    fn covers(self, rule: &Rule, piece: Piece) -> Option<bool> {
        let Ports::OneOf(ports) = &rule.ports else {
            return Some(true);
        };
        let mut by_peer = false;
        for port in ports {
            match self.entry_covers(port, piece) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => by_peer = true,
            }
        }
        (!by_peer).then_some(false)
    }

    fn entry_covers(self, port: &Port, piece: Piece) -> Option<bool> {
        if port
            .protocol
            .is_some_and(|protocol| protocol != piece.protocol)
        {
            return Some(false);
        }
        match (&port.number, self.direction) {
            (PortNumber::Any, _) => Some(true),
            (PortNumber::Range(range), _) => Some(range.contains(piece.ports.first)),
            (PortNumber::Named(name), Direction::Ingress) if self.subject.doubt.is_none() => {
                let number = self.subject.named_port(name, piece.protocol);
                Some(number == Some(piece.ports.first))
            }
            (PortNumber::Named(_) | PortNumber::Unclear(_), _) => None,
        }
    }

    /// For which peers a rule covers a piece.
    pub(super) fn covered(self, rule: &Rule, piece: Piece, universe: &mut Universe<'_>) -> Tri {
        let Ports::OneOf(ports) = &rule.ports else {
            return Tri::yes(universe.len());
        };
        let mut any = Tri::no(universe.len());
        for port in ports {
            match (self.entry_covers(port, piece), &port.number, self.direction) {
                (Some(true), ..) => any.or(&Tri::yes(universe.len())),
                (Some(false), ..) => {}
                (None, PortNumber::Named(name), Direction::Egress) => {
                    any.or(&universe.called(name, piece.protocol, piece.ports.first));
                }
                (None, ..) => any.or(&Tri::unclear(universe.len())),
            }
        }
        any
    }
}
