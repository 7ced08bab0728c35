//! Random rule sets over a small vocabulary, so that packets meet many of their rules; each can be
//! printed for iptables-restore and for nft, and means the same in both.

use std::fmt::Write as _;

use crate::policy::random::Dice;

/// Chains of one table of iptables, and their like in nft.
pub struct RuleSet {
    tables: Vec<Table>,
}

struct Table {
    name: &'static str,
    chains: Vec<Chain>,
}

struct Chain {
    name: String,
    /// Set for base chains.
    base: Option<Base>,
    rules: Vec<Rule>,
}

#[derive(Clone, Copy)]
struct Base {
    hook: &'static str,
    priority: i32,
    drops: bool,
}

struct Rule {
    tests: Vec<Test>,
    act: Act,
}

enum Test {
    /// Destination (or source), in this prefix or not.
    Address {
        of_source: bool,
        not: bool,
        net: &'static str,
    },
    Ports {
        tcp: bool,
        not: bool,
        first: u16,
        last: u16,
    },
    Protocol {
        tcp: bool,
    },
    In {
        not: bool,
        name: &'static str,
    },
    Out {
        name: &'static str,
    },
    Mark {
        not: bool,
        bit: u32,
    },
    /// Conntrack's word for the packet.
    Translated {
        not: bool,
    },
    Local,
    /// Every other packet.
    Chance,
}

enum Act {
    Accept,
    Drop,
    Reject,
    Reset,
    Return,
    Jump(String),
    Goto(String),
    Mark(u32),
    Notrack,
    To {
        address: &'static str,
        port: Option<u16>,
    },
    Masquerade,
    From(&'static str),
    Count,
}

/// Addresses that packets go to: those of the server's services, its own, and the router's.
pub const VIPS: [&str; 3] = ["10.96.0.1", "10.96.0.2", "10.96.0.3"];
pub const ENDPOINTS: [&str; 3] = ["10.0.2.10", "10.0.2.11", "10.0.2.12"];
pub const ROUTER: &str = "10.0.2.1";
pub const PORTS: [u16; 3] = [53, 80, 443];
const MARKS: [u32; 2] = [0x4000, 0x8000];

/// Table, base chains (hook, priority), and the number of other chains.
type Shape = (&'static str, &'static [(&'static str, i32)], usize);

const SHAPES: [Shape; 4] = [
    ("raw", &[("PREROUTING", -300), ("OUTPUT", -300)], 0),
    ("mangle", &[("PREROUTING", -150), ("FORWARD", -150)], 1),
    (
        "nat",
        &[("PREROUTING", -100), ("OUTPUT", -100), ("POSTROUTING", 100)],
        3,
    ),
    ("filter", &[("INPUT", 0), ("FORWARD", 0), ("OUTPUT", 0)], 3),
];

/// What a rejecting rule answers must get to the sender, or it could not be told from silence.
const ANSWERS_IPTABLES: [&str; 2] = [
    "-p icmp -j ACCEPT",
    "-p tcp -m tcp --tcp-flags RST RST -j ACCEPT",
];
const ANSWERS_NFT: [&str; 2] = ["meta l4proto icmp accept", "tcp flags & rst == rst accept"];

// === impl Chain ===

impl Chain {
    fn lets_answers_through(&self, table: &str) -> bool {
        table != "nat" && self.base.is_some()
    }
}

// === impl RuleSet ===

impl RuleSet {
    /// The rule set of a number: the same for the same number.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let tables = SHAPES.iter().map(|shape| table(&mut dice, shape));
        Self {
            tables: tables.collect(),
        }
    }

    /// As iptables-restore takes it.
    pub fn iptables(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            writeln!(text, "*{}", table.name).expect("room");
            for chain in &table.chains {
                let policy = match chain.base {
                    Some(Base { drops: true, .. }) => "DROP",
                    Some(_) => "ACCEPT",
                    None => "-",
                };
                writeln!(text, ":{} {policy} [0:0]", chain.name).expect("room");
            }
            for chain in &table.chains {
                let answers = if chain.lets_answers_through(table.name) {
                    &ANSWERS_IPTABLES[..]
                } else {
                    &[]
                };
                for rule in answers {
                    writeln!(text, "-A {} {rule}", chain.name).expect("room");
                }
                for rule in &chain.rules {
                    writeln!(text, "-A {}{}", chain.name, rule.iptables()).expect("room");
                }
            }
            text.push_str("COMMIT\n");
        }
        text
    }

    /// As nft -f takes it, in tables of its own.
    pub fn nft(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            writeln!(text, "table ip made-{} {{", table.name).expect("room");
            // What is jumped to comes first.
            for chain in table.chains.iter().rev() {
                writeln!(text, " chain {} {{", chain.name).expect("room");
                if let Some(base) = chain.base {
                    let kind = match (table.name, base.hook) {
                        ("nat", _) => "nat",
                        ("mangle", "OUTPUT") => "route",
                        _ => "filter",
                    };
                    let policy = if base.drops { "drop" } else { "accept" };
                    let hook = base.hook.to_lowercase();
                    writeln!(
                        text,
                        "  type {kind} hook {hook} priority {}; policy {policy};",
                        base.priority
                    )
                    .expect("room");
                }
                if chain.lets_answers_through(table.name) {
                    writeln!(text, "  {}", ANSWERS_NFT.join("\n  ")).expect("room");
                }
                for rule in &chain.rules {
                    writeln!(text, " {}", rule.nft()).expect("room");
                }
                text.push_str(" }\n");
            }
            text.push_str("}\n");
        }
        text
    }
}

fn table(dice: &mut Dice, (name, bases, others): &Shape) -> Table {
    let mut chains: Vec<Chain> = bases
        .iter()
        .map(|(hook, priority)| Chain {
            name: (*hook).to_owned(),
            base: Some(Base {
                hook,
                priority: *priority,
                drops: *name == "filter" && dice.chance(15),
            }),
            rules: Vec::new(),
        })
        .collect();
    chains.extend((0..*others).map(|number| Chain {
        name: format!("MADE-{number}"),
        base: None,
        rules: Vec::new(),
    }));
    for at in 0..chains.len() {
        let base = chains[at].base;
        let later: Vec<String> = chains[at + 1..]
            .iter()
            .filter(|chain| chain.base.is_none())
            .map(|chain| chain.name.clone())
            .collect();
        let count = 1 + dice.below(if *name == "raw" { 2 } else { 4 });
        chains[at].rules = (0..count).map(|_| rule(dice, name, base, &later)).collect();
    }
    Table { name, chains }
}

fn rule(dice: &mut Dice, table: &str, base: Option<Base>, later: &[String]) -> Rule {
    let hook = base.map(|base| base.hook);
    let act = act(dice, table, hook, later);
    let mut tests = Vec::new();
    if matches!(act, Act::Reset) {
        tests.push(Test::Protocol { tcp: true });
    }
    if matches!(act, Act::To { port: Some(_), .. }) {
        tests.push(Test::Protocol {
            tcp: dice.chance(70),
        });
    }
    let has_protocol = !tests.is_empty();
    for _ in 0..=dice.below(2) {
        let test = match dice.below(9) {
            0..=2 => Test::Address {
                of_source: dice.chance(20),
                not: dice.chance(25),
                net: NETS[usize::try_from(dice.below(NETS.len() as u64)).expect("an index")],
            },
            3 | 4 if !has_protocol && !tests.iter().any(Test::is_of_protocol) => {
                let first = PORTS[usize::try_from(dice.below(3)).expect("an index")];
                Test::Ports {
                    tcp: dice.chance(70),
                    not: dice.chance(20),
                    first,
                    last: if dice.chance(30) { first + 30 } else { first },
                }
            }
            5 if hook.is_none_or(|hook| hook == "PREROUTING" || hook == "FORWARD")
                && hook.is_some() =>
            {
                Test::In {
                    not: dice.chance(30),
                    name: if dice.chance(70) { "client" } else { "server" },
                }
            }
            6 if hook.is_some_and(|hook| hook == "POSTROUTING" || hook == "FORWARD") => Test::Out {
                name: if dice.chance(70) { "server" } else { "client" },
            },
            7 if table != "raw" => Test::Translated {
                not: dice.chance(50),
            },
            8 if hook == Some("PREROUTING") || hook == Some("OUTPUT") => Test::Local,
            8 if dice.chance(50) => Test::Chance,
            _ => Test::Mark {
                not: dice.chance(50),
                bit: MARKS[usize::try_from(dice.below(2)).expect("an index")],
            },
        };
        // iptables takes each option once.
        let kind = std::mem::discriminant(&test);
        if !tests
            .iter()
            .any(|other| std::mem::discriminant(other) == kind)
        {
            tests.push(test);
        }
    }
    Rule { tests, act }
}

const NETS: [&str; 8] = [
    "10.96.0.1/32",
    "10.96.0.2/32",
    "10.96.0.0/30",
    "10.0.2.10/32",
    "10.0.2.8/30",
    "10.0.0.0/8",
    "10.0.1.0/24",
    "192.0.2.0/24",
];

fn act(dice: &mut Dice, table: &str, hook: Option<&str>, later: &[String]) -> Act {
    let mark = |dice: &mut Dice| Act::Mark(MARKS[usize::try_from(dice.below(2)).expect("two")]);
    let onward = |dice: &mut Dice| {
        let chain = &later[usize::try_from(dice.below(later.len() as u64)).expect("an index")];
        if dice.chance(25) {
            Act::Goto(chain.clone())
        } else {
            Act::Jump(chain.clone())
        }
    };
    // Only destinations are rewritten in the chains of their own.
    let may_jump = (table, hook) != ("nat", Some("POSTROUTING"));
    if may_jump && !later.is_empty() && dice.chance(40) {
        return onward(dice);
    }
    match (table, dice.below(10)) {
        ("raw", 0..=3) => Act::Notrack,
        ("raw" | "mangle" | "filter", 4 | 5) => Act::Drop,
        (_, 0 | 1) => mark(dice),
        (_, 2) => Act::Return,
        (_, 3) => Act::Accept,
        ("nat", number) => match hook {
            Some("PREROUTING" | "OUTPUT") | None if number < 9 => Act::To {
                address: ENDPOINTS[usize::try_from(dice.below(3)).expect("an index")],
                port: dice
                    .chance(60)
                    .then(|| PORTS[usize::try_from(dice.below(3)).expect("an index")]),
            },
            Some("POSTROUTING") if number < 7 => Act::Masquerade,
            Some("POSTROUTING") => Act::From("10.0.2.200"),
            _ => Act::Count,
        },
        ("filter", 6 | 7) => Act::Reject,
        ("filter", 8) => Act::Reset,
        _ => Act::Count,
    }
}

// === impl Rule ===

impl Rule {
    fn iptables(&self) -> String {
        let mut text = String::new();
        for test in &self.tests {
            text += &test.iptables();
        }
        text + &self.act.iptables()
    }

    fn nft(&self) -> String {
        let mut text = String::new();
        for test in &self.tests {
            text += &test.nft();
        }
        text + &self.act.nft()
    }
}

// === impl Test ===

impl Test {
    const fn is_of_protocol(&self) -> bool {
        matches!(self, Self::Ports { .. } | Self::Protocol { .. })
    }

    fn iptables(&self) -> String {
        let unless = |not: bool| if not { "! " } else { "" };
        match self {
            Self::Address {
                of_source,
                not,
                net,
            } => {
                let option = if *of_source { "-s" } else { "-d" };
                format!(" {}{option} {net}", unless(*not))
            }
            Self::Ports {
                tcp,
                not,
                first,
                last,
            } => {
                let protocol = protocol(*tcp);
                format!(
                    " -p {protocol} -m {protocol} {}--dport {first}:{last}",
                    unless(*not)
                )
            }
            Self::Protocol { tcp } => format!(" -p {}", protocol(*tcp)),
            Self::In { not, name } => format!(" {}-i {name}", unless(*not)),
            Self::Out { name } => format!(" -o {name}"),
            Self::Mark { not, bit } => format!(" -m mark {}--mark {bit:#x}/{bit:#x}", unless(*not)),
            Self::Translated { not } => format!(" -m conntrack {}--ctstate DNAT", unless(*not)),
            Self::Local => " -m addrtype --dst-type LOCAL".to_owned(),
            Self::Chance => " -m statistic --mode random --probability 0.5".to_owned(),
        }
    }

    fn nft(&self) -> String {
        let unless = |not: bool| if not { "!= " } else { "" };
        match self {
            Self::Address {
                of_source,
                not,
                net,
            } => {
                let field = if *of_source { "saddr" } else { "daddr" };
                format!(" ip {field} {}{net}", unless(*not))
            }
            Self::Ports {
                tcp,
                not,
                first,
                last,
            } => format!(" {} dport {}{first}-{last}", protocol(*tcp), unless(*not)),
            Self::Protocol { tcp } => format!(" meta l4proto {}", protocol(*tcp)),
            Self::In { not, name } => format!(" iifname {}{name}", unless(*not)),
            Self::Out { name } => format!(" oifname {name}"),
            Self::Mark { not, bit } => {
                let operator = if *not { "!=" } else { "==" };
                format!(" meta mark & {bit:#x} {operator} {bit:#x}")
            }
            Self::Translated { not: true } => " ct status & dnat == 0".to_owned(),
            Self::Translated { not: false } => " ct status dnat".to_owned(),
            Self::Local => " fib daddr type local".to_owned(),
            Self::Chance => " numgen random mod 2 == 0".to_owned(),
        }
    }
}

const fn protocol(tcp: bool) -> &'static str {
    if tcp { "tcp" } else { "udp" }
}

// === impl Act ===

impl Act {
    fn iptables(&self) -> String {
        match self {
            Self::Accept => " -j ACCEPT".to_owned(),
            Self::Drop => " -j DROP".to_owned(),
            Self::Reject => " -j REJECT".to_owned(),
            Self::Reset => " -j REJECT --reject-with tcp-reset".to_owned(),
            Self::Return => " -j RETURN".to_owned(),
            Self::Jump(chain) => format!(" -j {chain}"),
            Self::Goto(chain) => format!(" -g {chain}"),
            Self::Mark(bit) => format!(" -j MARK --or-mark {bit:#x}"),
            Self::Notrack => " -j CT --notrack".to_owned(),
            Self::To { address, port } => {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                format!(" -j DNAT --to-destination {address}{port}")
            }
            Self::Masquerade => " -j MASQUERADE".to_owned(),
            Self::From(address) => format!(" -j SNAT --to-source {address}"),
            Self::Count => String::new(),
        }
    }

    fn nft(&self) -> String {
        match self {
            Self::Accept => " accept".to_owned(),
            Self::Drop => " drop".to_owned(),
            Self::Reject => " reject".to_owned(),
            Self::Reset => " reject with tcp reset".to_owned(),
            Self::Return => " return".to_owned(),
            Self::Jump(chain) => format!(" jump {chain}"),
            Self::Goto(chain) => format!(" goto {chain}"),
            Self::Mark(bit) => format!(" meta mark set meta mark or {bit:#x}"),
            Self::Notrack => " notrack".to_owned(),
            Self::To { address, port } => {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                format!(" dnat to {address}{port}")
            }
            Self::Masquerade => " masquerade".to_owned(),
            Self::From(address) => format!(" snat to {address}"),
            Self::Count => " counter".to_owned(),
        }
    }
}
