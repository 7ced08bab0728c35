//! Random worlds: a few namespaces, pods and policies of every dialect over a small vocabulary, so
//! that they collide often.

use std::fmt::Write;

/// A deterministic source of choices.
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    pub const fn below(&mut self, sides: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).expect("an index")]
    }

    fn list(&mut self, least: u64, most: u64, mut item: impl FnMut(&mut Self) -> String) -> String {
        let count = least + self.below(most - least + 1);
        let items: Vec<String> = (0..count).map(|_| item(self)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// Which dialects a world speaks beside NetworkPolicy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Plain,
    Admin,
    Calico,
    Cilium,
}

/// A world as YAML, and the names of its pods.
pub struct World {
    pub yaml: String,
    pub pods: Vec<String>,
}

const NAMESPACES: [&str; 3] = ["one", "two", "three"];
const KEYS: [&str; 3] = ["app", "tier", "rel"];
const VALUES: [&str; 3] = ["a", "b", "c"];
const NAMES: [&str; 2] = ["http", "dns"];
const PORTS: [&str; 5] = ["53", "80", "81", "443", "8080"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

pub fn world(seed: u64, dialect: Dialect) -> World {
    let mut dice = Dice::new(seed);
    let mut yaml = String::new();
    for namespace in NAMESPACES {
        let team = dice.pick(&VALUES);
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{team: {team}}}}}"
        );
    }
    let mut pods = Vec::new();
    for number in 0..8 + dice.below(6) {
        let namespace = dice.pick(&NAMESPACES);
        let mut labels = Vec::new();
        for key in KEYS {
            if dice.chance(70) {
                labels.push(format!("{key}: {}", dice.pick(&VALUES)));
            }
        }
        let ports = dice.list(0, 2, |dice| {
            let (name, port, protocol) =
                (dice.pick(&NAMES), dice.pick(&PORTS), dice.pick(&PROTOCOLS));
            format!("{{name: {name}, containerPort: {port}, protocol: {protocol}}}")
        });
        let host = dice.chance(10);
        let node = dice.below(2);
        let ip = if host {
            format!("192.168.0.{node}")
        } else {
            format!("10.1.{node}.{}", number + 1)
        };
        let status = if dice.chance(85) {
            format!("{{phase: Running, podIPs: [{{ip: {ip}}}]}}")
        } else {
            "{phase: Pending}".to_owned()
        };
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: {namespace}, labels: {{{}}}}}\nspec: {{nodeName: node{node}, hostNetwork: {host}, serviceAccountName: {}, containers: [{{name: c, ports: {ports}}}]}}\nstatus: {status}",
            labels.join(", "),
            dice.pick(&["sx", "sz"]),
        );
        pods.push(format!("{namespace}/Pod/p{number}"));
    }
    for number in 0..dice.below(5) {
        let _ = writeln!(
            yaml,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: np{number}, namespace: {}}}\nspec: {}",
            dice.pick(&NAMESPACES),
            network_policy(&mut dice)
        );
    }
    for number in 0..=dice.below(4) {
        let _ = match dialect {
            Dialect::Plain => Ok(()),
            Dialect::Admin => writeln!(yaml, "---\n{}", cluster_policy(&mut dice, number)),
            Dialect::Calico => writeln!(yaml, "---\n{}", calico(&mut dice, number)),
            Dialect::Cilium => writeln!(yaml, "---\n{}", cilium(&mut dice, number)),
        };
    }
    if dialect == Dialect::Calico {
        yaml += "---\napiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: early}\nspec: {order: 5, defaultAction: Pass}\n";
        yaml += "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: set, labels: {app: a}}\nspec: {nets: [10.1.1.0/24]}\n";
    }
    World { yaml, pods }
}

fn selector(dice: &mut Dice, keys: &[&str]) -> String {
    match dice.below(6) {
        0 => "{}".to_owned(),
        1..=3 => format!(
            "{{matchLabels: {{{}: {}}}}}",
            dice.pick(keys),
            dice.pick(&VALUES)
        ),
        4 => format!(
            "{{matchExpressions: [{{key: {}, operator: {}, values: [{}, {}]}}]}}",
            dice.pick(keys),
            dice.pick(&["In", "NotIn"]),
            dice.pick(&VALUES),
            dice.pick(&VALUES)
        ),
        _ => format!(
            "{{matchExpressions: [{{key: {}, operator: {}}}]}}",
            dice.pick(keys),
            dice.pick(&["Exists", "DoesNotExist"])
        ),
    }
}

fn block(dice: &mut Dice) -> &'static str {
    dice.pick(&[
        "10.1.0.0/16",
        "10.1.1.0/24",
        "0.0.0.0/0",
        "192.168.0.0/24",
        "8.0.0.0/8",
    ])
}

fn network_policy(dice: &mut Dice) -> String {
    let mut fields = vec![format!("podSelector: {}", selector(dice, &KEYS))];
    let types = dice.pick(&[
        "",
        "policyTypes: [Ingress]",
        "policyTypes: [Egress]",
        "policyTypes: [Ingress, Egress]",
    ]);
    fields.extend((!types.is_empty()).then(|| types.to_owned()));
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        if dice.chance(60) {
            fields.push(format!(
                "{list}: {}",
                dice.list(0, 3, |dice| np_rule(dice, peers))
            ));
        }
    }
    format!("{{{}}}", fields.join(", "))
}

fn np_rule(dice: &mut Dice, list: &str) -> String {
    let mut fields = Vec::new();
    if dice.chance(80) {
        fields.push(format!(
            "{list}: {}",
            dice.list(0, 2, |dice| match dice.below(4) {
                0 => format!("{{podSelector: {}}}", selector(dice, &KEYS)),
                1 => format!("{{namespaceSelector: {}}}", selector(dice, &["team"])),
                2 => format!(
                    "{{namespaceSelector: {}, podSelector: {}}}",
                    selector(dice, &["team"]),
                    selector(dice, &KEYS)
                ),
                _ => format!(
                    "{{ipBlock: {{cidr: {}, except: [10.1.1.5/32]}}}}",
                    block(dice)
                ),
            })
        ));
    }
    if dice.chance(60) {
        fields.push(format!(
            "ports: {}",
            dice.list(0, 2, |dice| {
                let protocol = dice.pick(&PROTOCOLS);
                match dice.below(4) {
                    0 => format!("{{port: {}}}", dice.pick(&PORTS)),
                    1 => format!("{{port: {}, protocol: {protocol}}}", dice.pick(&NAMES)),
                    2 => format!("{{port: 80, endPort: 500, protocol: {protocol}}}"),
                    _ => format!("{{protocol: {protocol}}}"),
                }
            })
        ));
    }
    format!("{{{}}}", fields.join(", "))
}

fn cluster_policy(dice: &mut Dice, number: u64) -> String {
    let rules = |dice: &mut Dice, list: &'static str| {
        dice.list(0, 3, |dice| {
            let peer = match dice.below(4) {
                0 if list == "to" => format!("networks: [{}]", block(dice)),
                1 if list == "to" => "nodes: {}".to_owned(),
                2 => format!(
                    "pods: {{namespaceSelector: {}, podSelector: {}}}",
                    selector(dice, &["team"]),
                    selector(dice, &KEYS)
                ),
                _ => format!("namespaces: {}", selector(dice, &["team"])),
            };
            let protocols = match dice.below(4) {
                0 => format!(
                    ", protocols: [{{tcp: {{destinationPort: {{number: {}}}}}}}]",
                    dice.pick(&PORTS)
                ),
                1 => format!(
                    ", protocols: [{{udp: {{}}}}, {{destinationNamedPort: {}}}]",
                    dice.pick(&NAMES)
                ),
                2 => ", protocols: [{tcp: {destinationPort: {range: {start: 80, end: 443}}}}]"
                    .to_owned(),
                _ => String::new(),
            };
            format!(
                "{{action: {}, {list}: [{{{peer}}}]{protocols}}}",
                dice.pick(&["Accept", "Deny", "Pass"])
            )
        })
    };
    let (ingress, egress) = (rules(dice, "from"), rules(dice, "to"));
    format!(
        "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: cnp{number}}}\nspec: {{tier: {}, priority: {}, subject: {{namespaces: {}}}, ingress: {ingress}, egress: {egress}}}",
        dice.pick(&["Admin", "Baseline"]),
        dice.below(3),
        selector(dice, &["team"])
    )
}

fn expression(dice: &mut Dice) -> String {
    let (key, value) = (dice.pick(&KEYS), dice.pick(&VALUES));
    match dice.below(7) {
        0 => "all()".to_owned(),
        1 => format!("{key} == '{value}'"),
        2 => format!("{key} != '{value}'"),
        3 => format!("!has({key})"),
        4 => format!("{key} in {{'a', 'b'}} && has(rel)"),
        5 => format!("{key} == '{value}' || tier contains 'c'"),
        _ => "projectcalico.org/namespace == 'one'".to_owned(),
    }
}

fn calico(dice: &mut Dice, number: u64) -> String {
    let end = |dice: &mut Dice| match dice.below(6) {
        0 => "{}".to_owned(),
        1 => format!("{{selector: \"{}\"}}", expression(dice)),
        2 => format!(
            "{{selector: \"{}\", namespaceSelector: \"team == '{}'\"}}",
            expression(dice),
            dice.pick(&VALUES)
        ),
        3 => format!("{{nets: [{}]}}", block(dice)),
        4 => format!("{{notNets: [{}]}}", block(dice)),
        _ => "{serviceAccounts: {names: [sx]}, namespaceSelector: all()}".to_owned(),
    };
    let rules = |dice: &mut Dice| {
        dice.list(0, 3, |dice| {
            let ports = dice.chance(40);
            let (source, destination) = (end(dice), end(dice));
            let destination = if ports {
                format!(
                    "{{ports: [{}, '80:90', {}]}}",
                    dice.pick(&PORTS),
                    dice.pick(&NAMES)
                )
            } else {
                destination
            };
            let protocol = if ports || dice.chance(20) {
                format!(", protocol: {}", dice.pick(&PROTOCOLS))
            } else {
                String::new()
            };
            format!(
                "{{action: {}, source: {source}, destination: {destination}{protocol}}}",
                dice.pick(&["Allow", "Deny", "Pass", "Log"])
            )
        })
    };
    let (ingress, egress) = (rules(dice), rules(dice));
    let tier = dice.pick(&["default", "early"]);
    let order = dice.below(3) * 999;
    let selector = expression(dice);
    let (kind, namespace) = match dice.below(2) {
        0 => ("GlobalNetworkPolicy", String::new()),
        _ => (
            "NetworkPolicy",
            format!(", namespace: {}", dice.pick(&NAMESPACES)),
        ),
    };
    format!(
        "apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: cal{number}{namespace}}}\nspec: {{tier: {tier}, order: {order}, selector: \"{selector}\", ingress: {ingress}, egress: {egress}}}"
    )
}

fn cilium(dice: &mut Dice, number: u64) -> String {
    let rules = |dice: &mut Dice, list: &str| {
        dice.list(0, 2, |dice| {
            let mut fields = vec![match dice.below(4) {
                0 => format!("{list}Endpoints: [{}]", selector(dice, &KEYS)),
                1 => format!(
                    "{list}Entities: [{}]",
                    dice.pick(&["all", "world", "cluster", "host", "remote-node"])
                ),
                2 => format!("{list}CIDR: [{}]", block(dice)),
                _ => format!(
                    "{list}Endpoints: [{{matchLabels: {{io.kubernetes.pod.namespace: {}}}}}]",
                    dice.pick(&NAMESPACES)
                ),
            }];
            if dice.chance(50) {
                fields.push(format!(
                    "toPorts: [{{ports: [{{port: '{}', protocol: {}}}, {{port: {}}}]}}]",
                    dice.pick(&PORTS),
                    dice.pick(&["TCP", "UDP", "ANY"]),
                    dice.pick(&NAMES)
                ));
            }
            format!("{{{}}}", fields.join(", "))
        })
    };
    let mut fields = vec![format!("endpointSelector: {}", selector(dice, &KEYS))];
    for (field, list) in [
        ("ingress", "from"),
        ("egress", "to"),
        ("ingressDeny", "from"),
        ("egressDeny", "to"),
    ] {
        if dice.chance(50) {
            fields.push(format!("{field}: {}", rules(dice, list)));
        }
    }
    if dice.chance(20) {
        fields.push("enableDefaultDeny: {ingress: false}".to_owned());
    }
    let (kind, namespace) = match dice.below(2) {
        0 => ("CiliumClusterwideNetworkPolicy", String::new()),
        _ => (
            "CiliumNetworkPolicy",
            format!(", namespace: {}", dice.pick(&NAMESPACES)),
        ),
    };
    format!(
        "apiVersion: cilium.io/v2\nkind: {kind}\nmetadata: {{name: cil{number}{namespace}}}\nspec: {{{}}}",
        fields.join(", ")
    )
}
