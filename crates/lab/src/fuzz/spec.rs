//! What a seed stands for: a world, a question, and up to three changes.

use serde::{Deserialize, Serialize};

use super::grammar::{Edit, GRAMMAR, Question};
use crate::Options;
use crate::net::Transport;
use crate::proxy::{Backend, Mode, WAYS};
use crate::scenario::Injection;

/// How many changes a seed makes, by chance.
const COUNTS: [usize; 10] = [0, 1, 1, 1, 1, 1, 2, 2, 2, 3];

/// How a cluster is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct World {
    pub proxy: Mode,
    pub iptables: Backend,
    pub transport: Transport,
    pub dual: bool,
}

/// The two nodes of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Node {
    One,
    Two,
}

/// One edit of the grammar, at a node.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub edit: &'static Edit,
    pub node: Node,
}

/// Everything that a seed says.
#[derive(Debug, Clone)]
pub struct Case {
    pub seed: u64,
    pub world: World,
    pub question: &'static Question,
    pub changes: Vec<Change>,
}

/// Sebastiano Vigna's splitmix64: small, and the same everywhere.
struct Dice(u64);

// === impl Dice ===

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let count = u64::try_from(from.len()).unwrap_or(1);
        let at = usize::try_from(self.roll() % count).unwrap_or_default();
        &from[at]
    }
}

// === impl World ===

impl World {
    /// Every world the lab can build; its tunnels carry IPv4 alone.
    pub fn all() -> Vec<Self> {
        let kinds = [
            (Transport::Routes, false),
            (Transport::Routes, true),
            (Transport::Vxlan, false),
        ];
        let ways = WAYS.iter();
        ways.flat_map(|(proxy, iptables)| {
            kinds.map(|(transport, dual)| Self {
                proxy: *proxy,
                iptables: *iptables,
                transport,
                dual,
            })
        })
        .collect()
    }

    /// How its lab is started.
    pub fn options(self) -> Options {
        let world = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/fuzz-world");
        Options {
            scenario: Some(world),
            proxy: Some(self.proxy),
            iptables: Some(self.iptables),
            transport: Some(self.transport),
            dual: self.dual,
            ..Options::default()
        }
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = match (self.proxy, self.iptables) {
            (Mode::Nftables, _) => "nftables",
            (Mode::Iptables, Backend::Legacy) => "iptables-legacy",
            (Mode::Iptables, Backend::Nft) => "iptables",
        };
        let transport = match self.transport {
            Transport::Routes => "routes",
            Transport::Vxlan => "vxlan",
        };
        let families = if self.dual { "dual-stack" } else { "IPv4" };
        write!(f, "{way} {transport} {families}")
    }
}

// === impl Node ===

impl Node {
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    pub fn named(name: &str) -> Self {
        if name == "node2" {
            Self::Two
        } else {
            Self::One
        }
    }

    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "node1",
            Self::Two => "node2",
        }
    }

    pub const fn ip(self) -> &'static str {
        match self {
            Self::One => "172.30.0.11",
            Self::Two => "172.30.0.12",
        }
    }

    pub const fn pods(self) -> &'static str {
        match self {
            Self::One => "10.244.1.0/24",
            Self::Two => "10.244.2.0/24",
        }
    }

    pub const fn gateway(self) -> &'static str {
        match self {
            Self::One => "10.244.1.1",
            Self::Two => "10.244.2.1",
        }
    }
}

// === impl Case ===

impl Case {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let world = *dice.pick(&World::all());
        let question = dice.pick(&GRAMMAR.questions);
        let fits = |edit: &&Edit| {
            let asked = edit.only.is_empty() || edit.only.contains(&question.name);
            asked
                && edit
                    .transport
                    .is_none_or(|transport| transport == world.transport)
        };
        let edits: Vec<&'static Edit> = GRAMMAR.edits.iter().filter(fits).collect();
        let count = *dice.pick(&COUNTS);
        let mut changes: Vec<Change> = Vec::new();
        while changes.len() < count {
            let edit = *dice.pick(&edits);
            let node = *dice.pick(&Node::ALL);
            // Twice the same would be undone twice.
            if changes.iter().all(|change| change.edit.name != edit.name) {
                changes.push(Change { edit, node });
            }
        }
        Self {
            seed,
            world,
            question,
            changes,
        }
    }

    /// Whether the client does not meet one backend after the other: session affinity keeps it on one, or it
    /// chooses among the addresses of a headless Service.
    pub fn is_pinned(&self) -> bool {
        let mut edits = self.changes.iter().map(|change| change.edit);
        self.question.pinned || edits.any(|edit| edit.name == "sticky-service")
    }

    pub fn does(&self) -> Vec<Injection> {
        let all = self.changes.iter();
        all.flat_map(|change| self.question.fill(&change.edit.does, change.node))
            .collect()
    }

    /// What takes it back: the last change first.
    pub fn undo(&self) -> Vec<Injection> {
        let all = self.changes.iter().rev();
        all.flat_map(|change| self.question.fill(&change.edit.undo, change.node))
            .collect()
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            seed,
            world,
            question,
            changes,
        } = self;
        let changes: Vec<String> = changes
            .iter()
            .map(|change| format!("{}@{}", change.edit.name, change.node.name()))
            .collect();
        let changes = if changes.is_empty() {
            "nothing changed".to_owned()
        } else {
            changes.join(" + ")
        };
        write!(f, "seed {seed}: {} in {world}: {changes}", question.name)
    }
}
