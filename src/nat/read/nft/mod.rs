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
mod json;
mod render;
mod statement;
mod value;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::BadDump;
use crate::nat::model::{
    Backend, Base, Elements, Hook, HookKind, Policy, Ruleset, Set, Span, Step, TableBuilder,
    TableFamily,
};

use json::{Json, Row};
pub use render::rule_text;

/// Reads one listing into the rule set. Read `iptables-save` first: its tables are then not read
/// again from here.
///
/// # Errors
/// When the text is not such a JSON document.
pub fn read_nft(ruleset: &mut Ruleset, text: impl Into<Arc<str>>) -> Result<(), BadDump> {
    let text: Arc<str> = text.into();
    let is_text = text.trim_start().starts_with("table ") || text.trim_start().starts_with('#');
    let bad = |error: serde_json::Error| BadDump {
        tool: "nft -j list ruleset",
        message: if is_text {
            "it is the listing as text, without -j".to_owned()
        } else {
            error.to_string()
        },
    };
    let mut input = serde_json::Deserializer::from_str(&text);
    let objects = Document.deserialize(&mut input).map_err(bad)?;
    input.end().map_err(bad)?;
    let mut reader = Reader {
        text: &text,
        tables: Vec::new(),
        by_name: HashMap::new(),
        notes: Vec::new(),
        row: Row::default(),
        steps: Vec::new(),
    };
    let sets = reader.declare(&objects);
    for raw in sets {
        reader.members(raw);
    }
    for object in objects.iter().filter(|object| object.kind == "rule") {
        if let Err(why) = reader.rule(object.content) {
            reader.notes.push(format!("nft rule: {why}"));
        }
    }
    reader.finish(ruleset);
    Ok(())
}

struct Reader<'a> {
    text: &'a Arc<str>,
    tables: Vec<TableBuilder>,
    by_name: HashMap<(Cow<'a, str>, Cow<'a, str>), usize>,
    notes: Vec<String>,
    /// Kept to be filled again: the values of an object, and the steps of a rule.
    row: Row<'a>,
    steps: Vec<Step>,
}

/// One object of the list, its content unparsed.
struct Object<'a> {
    kind: Cow<'a, str>,
    content: &'a RawValue,
}

/// The names of the table that an object belongs to.
#[derive(Deserialize)]
struct TableNames<'a> {
    #[serde(default, borrow)]
    family: Text<'a>,
    #[serde(default, borrow)]
    table: Text<'a>,
    #[serde(default, borrow)]
    name: Text<'a>,
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
    #[serde(default, borrow)]
    family: Text<'a>,
    #[serde(default, borrow)]
    table: Text<'a>,
    #[serde(default, borrow)]
    name: Text<'a>,
    #[serde(default, rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(default, borrow)]
    map: Option<&'a RawValue>,
    /// Taken apart one by one: all at once would be larger than the listing.
    #[serde(default, borrow)]
    elem: Vec<&'a RawValue>,
}

/// A text, borrowed unless it holds escapes.
#[derive(Deserialize, Default)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Tables, chains and the names of sets: rules may refer to what stands behind them. Gives back the
    /// sets, still without members.
    fn declare(&mut self, objects: &[Object<'a>]) -> Vec<RawSet<'a>> {
        let mut sets = Vec::new();
        for object in objects {
            let text = object.content.get();
            match &*object.kind {
                "table" | "chain" => {
                    let Ok(place) = serde_json::from_str::<TableNames<'_>>(text) else {
                        continue;
                    };
                    if object.kind == "table" {
                        self.table(&place);
                    } else {
                        self.chain(&place, object);
                    }
                }
                "set" | "map" | "meter" => match serde_json::from_str::<RawSet<'_>>(text) {
                    Ok(raw) => {
                        if let Some(table) = self.find(&raw.family, &raw.table) {
                            table.set(Set::new(&raw.name, Vec::new()));
                            sets.push(raw);
                        }
                    }
                    Err(why) => self.notes.push(format!("nft {}: {why}", object.kind)),
                },
                _ => {}
            }
        }
        sets
    }

    fn table(&mut self, place: &TableNames<'a>) {
        let family = match &*place.family {
            "ip" => TableFamily::Ip,
            "ip6" => TableFamily::Ip6,
            "inet" => TableFamily::Inet,
            // These see frames, not routed packets.
            other => {
                let note = format!(
                    "nft table {other} {}: family {other} is not walked",
                    &*place.name
                );
                self.notes.push(note);
                return;
            }
        };
        let key = (place.family.0.clone(), place.name.0.clone());
        self.by_name.insert(key, self.tables.len());
        let text = Arc::clone(self.text);
        let builder = TableBuilder::new(family, &place.name, Backend::Nftables, text);
        self.tables.push(builder);
    }

    fn chain(&mut self, place: &TableNames<'_>, object: &Object<'_>) {
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
                        &*place.family, &*place.table, &*place.name
                    );
                    self.notes.push(note);
                    if let Some(table) = self.find(&place.family, &place.table) {
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
        if let Some(table) = self.find(&place.family, &place.table) {
            table.chain(&place.name, base);
        }
    }

    fn find(&mut self, family: &str, table: &str) -> Option<&mut TableBuilder> {
        let key = (Cow::Borrowed(family), Cow::Borrowed(table));
        let position = *self.by_name.get(&key)?;
        self.tables.get_mut(position)
    }

    /// Adds a rule; one of no known chain is named.
    fn rule(&mut self, content: &'a RawValue) -> Result<(), String> {
        let span = Span::of(self.text, content.get());
        let mut row = std::mem::take(&mut self.row);
        let mut steps = std::mem::take(&mut self.steps);
        let object = row.read(content);
        let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default();
        let Some(table) = self.find(text("family"), text("table")) else {
            return Ok(());
        };
        let name = text("chain");
        let chain = table
            .find_chain(name)
            .ok_or_else(|| format!("chain {name} is not in the listing"))?;
        let parts = object.get("expr").and_then(Json::list);
        for part in parts.into_iter().flatten() {
            statement::read(table, part, &mut steps);
        }
        super::order(&mut steps);
        table.rule(chain, span, &mut steps);
        (self.row, self.steps) = (row, steps);
        Ok(())
    }

    /// Gives a set its members.
    fn members(&mut self, raw: RawSet<'a>) {
        let mut row = std::mem::take(&mut self.row);
        let kinds = raw.kind.map(|kind| value::kinds_of_type(row.read(kind)));
        let kinds = kinds.unwrap_or_default();
        if let Some(table) = self.find(&raw.family, &raw.table)
            && let Some(id) = table.find_set(&raw.name)
        {
            let is_map = raw.map.is_some();
            let mut elements = Elements::default();
            for element in raw.elem {
                elements.add(statement::member(table, &kinds, row.read(element), is_map));
            }
            let name = (*raw.name).into();
            table.replace_set(id, Set { name, elements });
        }
        self.row = row;
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

// === impl Text ===

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
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
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if &*key == "nftables" {
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
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneObject {
    type Value = Option<Object<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some(Text(kind)) = map.next_key()? else {
            return Ok(None);
        };
        let content = map.next_value()?;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Object { kind, content }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}
