//! A gap in words.

use super::{Direction, End, Gap, Located, Stop};
use netpath_protocol::tap::TapRule;

// === impl Gap ===

impl Gap {
    /// The node it is on, where it is on one.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::OnNode { node } | Self::ToPod { node } | Self::InBackend { node } => Some(node),
            Self::Wire { .. } | Self::InSource => None,
        }
    }

    /// `on node2`, `between node1 and node2`
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::InSource => "in the source Pod".to_owned(),
            Self::OnNode { node } => format!("on {node}"),
            Self::Wire { from, to } => format!("between {from} and {to}"),
            Self::ToPod { node } => format!("between the bridge of {node} and the Pod"),
            Self::InBackend { .. } => "in the destination Pod".to_owned(),
        }
    }
}

// === impl End ===

impl End {
    /// The gap and the direction, where there is one.
    #[must_use]
    pub const fn gap(&self) -> Option<(Direction, &Gap)> {
        match self {
            Self::Lost { direction, gap } | Self::Rejected { direction, gap } => {
                Some((*direction, gap))
            }
            Self::Complete | Self::Refused | Self::Unseen(_) => None,
        }
    }
}

// === impl Located ===

impl Located {
    /// The last point before the gap.
    #[must_use]
    pub fn last(&self) -> Option<&Stop> {
        let (direction, _) = self.end.gap()?;
        let mut stops = self.stops.iter().rev();
        stops.find(|stop| stop.direction == direction)
    }

    /// What was seen, in one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let share = format!("{} of {} attempts", self.agreeing, self.attempts);
        let what = |direction| match direction {
            Direction::Forward => "the packet",
            Direction::Return => "the answer",
        };
        let seen = self.last().map_or_else(
            || "is not seen at any point".to_owned(),
            |stop| format!("is last seen at {}", stop.words()),
        );
        let by = self
            .rule
            .as_ref()
            .map_or_else(String::new, |met| format!(", dropped by {}", rule(met)));
        match &self.end {
            End::Complete => format!("tap: the packet and its answer pass every point ({share})"),
            End::Refused => {
                format!("tap: the destination Pod itself answers with a reset ({share})")
            }
            End::Lost { direction, gap } => format!(
                "tap: {} {seen} and vanishes {}{by} ({share})",
                what(*direction),
                gap.words()
            ),
            End::Rejected { direction, gap } => {
                let sender = self.refusal.map_or_else(String::new, |icmp| {
                    format!(" by {} ({})", icmp.from, icmp.words())
                });
                format!(
                    "tap: {} {seen} and is rejected {}{sender}{by} ({share})",
                    what(*direction),
                    gap.words()
                )
            }
            End::Unseen(why) => format!("tap: where the packet ends is not known: {why}"),
        }
    }
}

/// `rule 12 of chain CORP-FW, table ip filter`
#[must_use]
pub fn rule(rule: &TapRule) -> String {
    let TapRule {
        family,
        table,
        chain,
        handle,
        ..
    } = rule;
    match handle {
        Some(handle) => format!("rule {handle} of chain {chain}, table {family} {table}"),
        None => format!("the policy of chain {chain}, table {family} {table}"),
    }
}

// === impl Stop ===

impl Stop {
    /// `eth0 of node2, coming in`
    #[must_use]
    pub fn words(&self) -> String {
        let way = if self.point.out {
            "going out"
        } else {
            "coming in"
        };
        format!("{} of {}, {way}", self.point.interface, self.node)
    }
}
