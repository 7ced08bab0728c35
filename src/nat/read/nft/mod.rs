//! `nft -j list ruleset`: native nftables tables.
//!
//! ```text
//!  {"nftables": [ {"table": …}, {"chain": …}, {"set": …}, {"map": …}, {"rule": {"expr": [ … ]}} … ]}
//! ```
//!
//! Objects are taken one by one, so that one that is not understood costs itself alone. Tables that
//! the iptables commands keep in nftables are shown there with their matches' parameters missing;
//! they are left to `iptables-save` wherever that was read too.

mod expression;
mod render;
mod statement;
mod value;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::BadDump;
use crate::nat::model::{
    Backend, Base, Elements, Hook, HookKind, Policy, Ruleset, Set, Span, TableBuilder, TableFamily,
};

pub use render::rule_text;

/// Reads one listing into the rule set. Read `iptables-save` first: its tables are then not read
/// again from here.
///
/// # Errors
/// When the text is not such a JSON document.
pub fn read_nft(ruleset: &mut Ruleset, text: impl Into<Arc<str>>) -> Result<(), BadDump> {
    let text: Arc<str> = text.into();
    let bad = |error: serde_json::Error| BadDump {
        tool: "nft -j list ruleset",
        message: error.to_string(),
    };
    let mut input = serde_json::Deserializer::from_str(&text);
    let objects = Document.deserialize(&mut input).map_err(bad)?;
    input.end().map_err(bad)?;
    let mut reader = Reader {
        text: &text,
        tables: Vec::new(),
        by_name: HashMap::new(),
        notes: Vec::new(),
    };
    reader.declare(&objects);
    reader.fill(&objects);
    reader.finish(ruleset);
    Ok(())
}

struct Reader<'a> {
    text: &'a Arc<str>,
    tables: Vec<TableBuilder>,
    by_name: HashMap<(String, String), usize>,
    notes: Vec<String>,
}

/// One object of the list, its content unparsed.
struct Object<'a> {
    kind: &'a str,
    content: &'a RawValue,
}

/// The names of the table that an object belongs to.
#[derive(Deserialize)]
struct Place<'a> {
    #[serde(default, borrow)]
    family: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    table: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    name: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawChain {
    #[serde(rename = "type")]
    kind: Option<String>,
    hook: Option<String>,
    prio: Option<i32>,
    policy: Option<String>,
}

#[derive(Deserialize)]
struct RawSet<'a> {
    #[serde(default, rename = "type")]
    kind: Value,
    #[serde(default)]
    map: Value,
    /// Taken apart one by one: as values, all at once would be larger than the listing.
    #[serde(default, borrow)]
    elem: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawRule {
    #[serde(default)]
    chain: String,
    #[serde(default)]
    expr: Vec<Value>,
}

// === impl Reader ===

impl Reader<'_> {
    /// Tables, chains and the names of sets: rules may refer to what stands behind them.
    fn declare(&mut self, objects: &[Object<'_>]) {
        for object in objects {
            let Ok(place) = serde_json::from_str::<Place<'_>>(object.content.get()) else {
                continue;
            };
            match object.kind {
                "table" => self.table(&place),
                "chain" => self.chain(&place, object),
                "set" | "map" | "meter" => {
                    if let Some(table) = self.find(&place) {
                        table.set(Set::new(&place.name, Vec::new()));
                    }
                }
                _ => {}
            }
        }
    }

    /// Members and rules.
    fn fill(&mut self, objects: &[Object<'_>]) {
        for object in objects {
            if !matches!(object.kind, "set" | "map" | "meter" | "rule") {
                continue;
            }
            let Ok(place) = serde_json::from_str::<Place<'_>>(object.content.get()) else {
                continue;
            };
            let span = Span::of(self.text, object.content.get());
            let Some(table) = self.find(&place) else {
                continue;
            };
            let outcome = if object.kind == "rule" {
                rule(table, object.content, span)
            } else {
                members(table, &place.name, object.content)
            };
            if let Err(why) = outcome {
                let note = format!(
                    "nft table {} {}: {}: {why}",
                    place.family, place.table, object.kind
                );
                self.notes.push(note);
            }
        }
    }

    fn table(&mut self, place: &Place<'_>) {
        let family = match &*place.family {
            "ip" => TableFamily::Ip,
            "ip6" => TableFamily::Ip6,
            "inet" => TableFamily::Inet,
            // These see frames, not routed packets.
            other => {
                let note = format!(
                    "nft table {other} {}: family {other} is not walked",
                    place.name
                );
                self.notes.push(note);
                return;
            }
        };
        let key = (place.family.to_string(), place.name.to_string());
        self.by_name.insert(key, self.tables.len());
        let text = Arc::clone(self.text);
        let builder = TableBuilder::new(family, &place.name, Backend::Nftables, text);
        self.tables.push(builder);
    }

    fn chain(&mut self, place: &Place<'_>, object: &Object<'_>) {
        let raw: Result<RawChain, _> = serde_json::from_str(object.content.get());
        let base = match raw {
            Ok(RawChain {
                hook: Some(hook),
                kind,
                prio,
                policy,
            }) => {
                let Some(hook) = Hook::of(&hook) else {
                    let note = format!(
                        "nft chain {} {} {}: hook {hook} is not walked",
                        place.family, place.table, place.name
                    );
                    self.notes.push(note);
                    if let Some(table) = self.find(place) {
                        table.chain(&place.name, None);
                    }
                    return;
                };
                Some(Base {
                    hook,
                    kind: match kind.as_deref() {
                        Some("nat") => HookKind::Nat,
                        Some("route") => HookKind::Route,
                        _ => HookKind::Filter,
                    },
                    priority: prio.unwrap_or_default(),
                    policy: if policy.as_deref() == Some("drop") {
                        Policy::Drop
                    } else {
                        Policy::Accept
                    },
                })
            }
            _ => None,
        };
        if let Some(table) = self.find(place) {
            table.chain(&place.name, base);
        }
    }

    fn find(&mut self, place: &Place<'_>) -> Option<&mut TableBuilder> {
        let key = (place.family.to_string(), place.table.to_string());
        let position = *self.by_name.get(&key)?;
        self.tables.get_mut(position)
    }

    fn finish(self, ruleset: &mut Ruleset) {
        ruleset.notes.extend(self.notes);
        for builder in self.tables {
            let mut table = builder.finish();
            if is_made_by_iptables(&table) {
                let was_read = ruleset.tables.iter().any(|other| {
                    other.backend == Backend::IptablesNft
                        && other.name == table.name
                        && (other.family == table.family || other.family == TableFamily::Inet)
                });
                if was_read || table.chains.iter().all(|chain| chain.rules.is_empty()) {
                    continue;
                }
                ruleset.notes.push(format!(
                    "table {} {} belongs to iptables; nft shows it without the parameters of its matches: give iptables-save too",
                    table.family.name(),
                    table.name
                ));
                table.backend = Backend::IptablesNft;
            }
            ruleset.tables.push(table);
        }
    }
}

/// The tables of iptables-nft have the builtin names, and base chains in upper case.
fn is_made_by_iptables(table: &crate::nat::model::Table) -> bool {
    let builtin = matches!(
        &*table.name,
        "filter" | "nat" | "mangle" | "raw" | "security"
    );
    let mut bases = table
        .named_chains()
        .filter_map(|(name, chain)| Some((name, chain.base?)));
    builtin
        && table.family != TableFamily::Inet
        && bases.all(|(name, base)| name == base.hook.upper())
}

/// Adds a rule; what is no rule at all is named.
fn rule(table: &mut TableBuilder, content: &RawValue, span: Span) -> Result<(), String> {
    let raw: RawRule = serde_json::from_str(content.get()).map_err(|error| error.to_string())?;
    let chain = table.find_chain(&raw.chain);
    let chain = chain.ok_or_else(|| format!("chain {} is not in the listing", raw.chain))?;
    let mut steps = Vec::new();
    for part in &raw.expr {
        statement::read(table, part, &mut steps);
    }
    super::order(&mut steps);
    table.rule(chain, span, &mut steps);
    Ok(())
}

/// Gives a set its members; what is no set at all is named.
fn members(table: &mut TableBuilder, name: &str, content: &RawValue) -> Result<(), String> {
    let raw: RawSet<'_> = serde_json::from_str(content.get()).map_err(|error| error.to_string())?;
    if let Some(id) = table.find_set(name) {
        let kinds = value::kinds_of_type(&raw.kind);
        let is_map = !raw.map.is_null();
        let mut elements = Elements::default();
        for element in raw.elem {
            let element: Value = serde_json::from_str(element.get()).unwrap_or_default();
            elements.add(statement::member(table, &kinds, &element, is_map));
        }
        let name = name.into();
        table.replace_set(id, Set { name, elements });
    }
    Ok(())
}

// === the document ===

struct Document;

impl<'de> DeserializeSeed<'de> for Document {
    type Value = Vec<Object<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = Vec<Object<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the key \"nftables\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut objects = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "nftables" {
                objects = Some(map.next_value_seed(Objects)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        objects.ok_or_else(|| serde::de::Error::missing_field("nftables"))
    }
}

struct Objects;

impl<'de> DeserializeSeed<'de> for Objects {
    type Value = Vec<Object<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects {
    type Value = Vec<Object<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(object) = list.next_element_seed(OneObject)? {
            objects.extend(object);
        }
        Ok(objects)
    }
}

/// `{"rule": …}`: the first key is the kind. Anything else than an object is passed over.
struct OneObject;

impl<'de> DeserializeSeed<'de> for OneObject {
    type Value = Option<Object<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        let raw = <&'de RawValue>::deserialize(input)?;
        let inner = serde_json::from_str::<HashMap<&'de str, &'de RawValue>>(raw.get());
        Ok(inner.ok().and_then(|inner| {
            let (kind, content) = inner.into_iter().next()?;
            Some(Object { kind, content })
        }))
    }
}
