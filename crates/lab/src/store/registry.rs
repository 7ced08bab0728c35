//! Which kinds of object there are: the built-in ones and those that CustomResourceDefinitions add.

use std::collections::BTreeMap;

use serde_json::Value;

/// The built-in kinds, one per line.
const BUILT_IN: &str = include_str!("resources.txt");

/// What `*` in the list stands for.
const ALL_VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// A kind of object as the API serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub plural: String,
    pub singular: String,
    pub kind: String,
    pub namespaced: bool,
    pub verbs: Vec<String>,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub subresources: Vec<Subresource>,
}

/// A group with its versions, and what each of them holds.
pub type Group<'a> = (String, Vec<(String, Vec<&'a ResourceType>)>);

/// A part of an object with an address of its own, `pods/log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subresource {
    pub name: String,
    /// Group and version of its kind where they differ from the parent's.
    pub group_version: Option<(String, String)>,
    pub kind: String,
    pub verbs: Vec<String>,
}

/// All kinds, in the order of discovery.
#[derive(Debug, Clone)]
pub struct Registry {
    types: Vec<ResourceType>,
}

// === impl Registry ===

impl Registry {
    pub fn built_in() -> Self {
        let lines = BUILT_IN.lines().filter(|line| !line.starts_with('#'));
        Self {
            types: lines.filter_map(parse).collect(),
        }
    }

    pub fn types(&self) -> &[ResourceType] {
        &self.types
    }

    /// By the words of a URL.
    pub fn by_plural(&self, group: &str, version: &str, plural: &str) -> Option<&ResourceType> {
        self.types
            .iter()
            .find(|one| one.group == group && one.version == version && one.plural == plural)
    }

    /// By the words of an object, whatever version it is written in.
    pub fn by_kind(&self, api_version: &str, kind: &str) -> Option<&ResourceType> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.types
            .iter()
            .find(|one| one.group == group && one.kind == kind)
    }

    /// Every version of a group, the preferred one first, with what it holds.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for one in &self.types {
            let at = groups
                .iter()
                .position(|(name, _)| *name == one.group)
                .unwrap_or_else(|| {
                    groups.push((one.group.clone(), Vec::new()));
                    groups.len() - 1
                });
            let versions = &mut groups[at].1;
            match versions
                .iter_mut()
                .find(|(version, _)| *version == one.version)
            {
                Some((_, types)) => types.push(one),
                None => versions.push((one.version.clone(), vec![one])),
            }
        }
        groups
    }

    /// Serves what a CustomResourceDefinition defines.
    pub fn define(&mut self, definition: &Value) {
        let spec = &definition["spec"];
        let names = &spec["names"];
        let version = spec["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|version| version["served"] == true);
        let Some(version) = version else { return };
        let group = text(&spec["group"]);
        let plural = text(&names["plural"]);
        self.types
            .retain(|one| one.group != group || one.plural != plural);
        let kind = text(&names["kind"]);
        let status = version["subresources"]["status"]
            .is_object()
            .then(|| Subresource {
                name: "status".to_owned(),
                group_version: None,
                kind: kind.clone(),
                verbs: words("get,patch,update"),
            });
        self.types.push(ResourceType {
            group,
            version: text(&version["name"]),
            singular: text(&names["singular"]),
            plural,
            kind,
            namespaced: spec["scope"] == "Namespaced",
            verbs: ALL_VERBS.map(str::to_owned).to_vec(),
            short_names: list(&names["shortNames"]),
            categories: list(&names["categories"]),
            subresources: status.into_iter().collect(),
        });
    }

    /// Serves the kind of an object that no definition came with, as a recording may hold it.
    pub fn admit(&mut self, object: &Value) {
        let api_version = text(&object["apiVersion"]);
        let kind = text(&object["kind"]);
        if self.by_kind(&api_version, &kind).is_some() {
            return;
        }
        let Some((group, version)) = api_version.split_once('/') else {
            return;
        };
        let singular = kind.to_lowercase();
        let plural = match singular.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if singular.ends_with('s') => format!("{singular}es"),
            None => format!("{singular}s"),
        };
        self.types.push(ResourceType {
            group: group.to_owned(),
            version: version.to_owned(),
            plural,
            singular,
            kind,
            namespaced: object["metadata"]["namespace"].is_string(),
            verbs: ALL_VERBS.map(str::to_owned).to_vec(),
            short_names: Vec::new(),
            categories: Vec::new(),
            subresources: Vec::new(),
        });
    }

    /// Stops serving what a definition defined.
    pub fn forget(&mut self, definition: &Value) {
        let (group, plural) = (
            &definition["spec"]["group"],
            &definition["spec"]["names"]["plural"],
        );
        self.types
            .retain(|one| *group != one.group || *plural != one.plural);
    }
}

// === impl ResourceType ===

impl ResourceType {
    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods`, `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|one| one.name == name)
    }

    /// Whether `status` is a part that only its own address can write.
    pub fn keeps_status(&self) -> bool {
        self.subresource("status").is_some()
    }
}

fn parse(line: &str) -> Option<ResourceType> {
    let mut fields = line.split_whitespace();
    let mut next = || {
        fields
            .next()
            .map(|field| if field == "-" { "" } else { field })
    };
    let (group, version, plural) = (next()?, next()?, next()?);
    let (singular, kind, scope, verbs) = (next()?, next()?, next()?, next()?);
    let (short_names, categories) = (words(next()?), words(next()?));
    Some(ResourceType {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        singular: singular.to_owned(),
        kind: kind.to_owned(),
        namespaced: scope == "N",
        verbs: words(verbs),
        short_names,
        categories,
        subresources: fields.filter_map(parse_subresource).collect(),
    })
}

fn parse_subresource(field: &str) -> Option<Subresource> {
    let (name, rest) = field.split_once('=')?;
    let (kind, verbs) = rest.split_once(':')?;
    let (group_version, kind) = match kind.rsplit_once('/') {
        Some((prefix, kind)) => {
            let (group, version) = prefix.split_once('/')?;
            (Some((group.to_owned(), version.to_owned())), kind)
        }
        None => (None, kind),
    };
    Some(Subresource {
        name: name.to_owned(),
        group_version,
        kind: kind.to_owned(),
        verbs: words(verbs),
    })
}

fn words(list: &str) -> Vec<String> {
    match list {
        "*" => ALL_VERBS.map(str::to_owned).to_vec(),
        "" => Vec::new(),
        _ => list.split(',').map(str::to_owned).collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// The labels of an object.
pub fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object["metadata"]["labels"].as_object();
    labels
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}
