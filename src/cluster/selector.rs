//! Label selectors, as the API server and the controllers evaluate them.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// A conjunction of requirements; an empty one matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Selector {
    pub requirements: Vec<Requirement>,
}

/// One term of a selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    pub key: String,
    pub operator: Operator,
    pub values: Vec<String>,
}

/// What a term asks of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// An operator the API does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown operator {operator:?} for label {key:?}")]
pub struct BadSelector {
    pub key: String,
    pub operator: String,
}

// === impl Selector ===

impl Selector {
    /// The selector of a plain map, as in `Service.spec.selector`: every pair must be there.
    #[must_use]
    pub fn from_map(map: &BTreeMap<String, String>) -> Self {
        let requirements = map
            .iter()
            .map(|(key, value)| Requirement::equals(key, value));
        Self {
            requirements: requirements.collect(),
        }
    }

    /// Reads a `LabelSelector`.
    ///
    /// # Errors
    /// When an expression carries an operator the API does not define.
    pub fn from_label_selector(selector: &LabelSelector) -> Result<Self, BadSelector> {
        let mut all = Self::default();
        for (key, value) in selector.match_labels.iter().flatten() {
            all.requirements.push(Requirement::equals(key, value));
        }
        for expression in selector.match_expressions.iter().flatten() {
            all.requirements.push(Requirement {
                key: expression.key.clone(),
                operator: Operator::parse(&expression.key, &expression.operator)?,
                values: expression.values.clone().unwrap_or_default(),
            });
        }
        Ok(all)
    }

    /// Whether it matches everything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether a set of labels satisfies every term.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|term| term.holds(labels))
    }

    /// The terms that a set of labels does not satisfy.
    pub fn misses<'a>(
        &'a self,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Requirement> {
        self.requirements.iter().filter(|term| !term.holds(labels))
    }
}

/// The form `kubectl -l` takes: `app=web,tier in (a,b),!legacy`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, term) in self.requirements.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            write!(f, "{term}")?;
        }
        Ok(())
    }
}

// === impl Requirement ===

impl Requirement {
    fn equals(key: &str, value: &str) -> Self {
        Self {
            key: key.to_owned(),
            operator: Operator::In,
            values: vec![value.to_owned()],
        }
    }

    /// Whether a set of labels satisfies this term. `NotIn` and `DoesNotExist` hold when the key is
    /// absent (`k8s.io/apimachinery/pkg/labels`).
    #[must_use]
    pub fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match (self.operator, self.values.as_slice()) {
            (Operator::In, [value]) => write!(f, "{key}={value}"),
            (Operator::NotIn, [value]) => write!(f, "{key}!={value}"),
            (Operator::In, values) => write!(f, "{key} in ({})", values.join(",")),
            (Operator::NotIn, values) => write!(f, "{key} notin ({})", values.join(",")),
            (Operator::Exists, _) => f.write_str(key),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
        }
    }
}

// === impl Operator ===

impl Operator {
    fn parse(key: &str, operator: &str) -> Result<Self, BadSelector> {
        match operator {
            "In" => Ok(Self::In),
            "NotIn" => Ok(Self::NotIn),
            "Exists" => Ok(Self::Exists),
            "DoesNotExist" => Ok(Self::DoesNotExist),
            _ => Err(BadSelector {
                key: key.to_owned(),
                operator: operator.to_owned(),
            }),
        }
    }
}
