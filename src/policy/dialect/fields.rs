//! Reading custom resources field by field, so that no field is left out unseen.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One object, with the fields that were asked for.
#[derive(Debug)]
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// Where it stands: `spec.ingress[0]`; empty for a whole object.
    pub path: String,
    asked: Vec<&'static str>,
}

/// A field that is not of the form its kind asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadField {
    pub field: String,
    pub why: String,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// An object at a path.
    pub fn new(value: &'a Value, path: impl Into<String>) -> Result<Self, BadField> {
        let path = path.into();
        match value {
            Value::Object(object) => Ok(Self {
                object,
                path,
                asked: Vec::new(),
            }),
            other => Err(BadField::new(path, other, "an object")),
        }
    }

    /// The path of one of its fields.
    pub fn at(&self, field: impl fmt::Display) -> String {
        if self.path.is_empty() {
            field.to_string()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    /// A field; null counts as absent.
    pub fn get(&mut self, field: &'static str) -> Option<&'a Value> {
        self.asked.push(field);
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// A field that says nothing about verdicts.
    pub fn pass_over(&mut self, fields: &[&'static str]) {
        self.asked.extend(fields);
    }

    /// A field that holds an object.
    pub fn object(&mut self, field: &'static str) -> Result<Option<Self>, BadField> {
        let path = self.at(field);
        self.get(field)
            .map(|value| Self::new(value, path))
            .transpose()
    }

    /// A field that holds a list; none where it is absent.
    pub fn list(&mut self, field: &'static str) -> Result<Option<&'a [Value]>, BadField> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(BadField::new(self.at(field), other, "a list")),
        }
    }

    /// A field that holds text.
    pub fn text(&mut self, field: &'static str) -> Result<Option<&'a str>, BadField> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(BadField::new(self.at(field), other, "text")),
        }
    }

    /// A field that holds a list of texts; empty where it is absent.
    pub fn texts(&mut self, field: &'static str) -> Result<Vec<&'a str>, BadField> {
        let items = self.list(field)?.unwrap_or_default();
        let text = |item: &'a Value| {
            item.as_str()
                .ok_or_else(|| BadField::new(self.at(field), item, "a list of texts"))
        };
        items.iter().map(text).collect()
    }

    /// A field that holds a whole number.
    pub fn integer(&mut self, field: &'static str) -> Result<Option<i64>, BadField> {
        let value = self.get(field);
        let number = |value: &Value| {
            value
                .as_i64()
                .ok_or_else(|| BadField::new(self.at(field), value, "a whole number"))
        };
        value.map(number).transpose()
    }

    /// A field that holds true or false.
    pub fn flag(&mut self, field: &'static str) -> Result<Option<bool>, BadField> {
        let value = self.get(field);
        let flag = |value: &Value| {
            value
                .as_bool()
                .ok_or_else(|| BadField::new(self.at(field), value, "true or false"))
        };
        value.map(flag).transpose()
    }

    /// A field that holds a label selector.
    pub fn selector(&mut self, field: &'static str) -> Result<Option<LabelSelector>, BadField> {
        let value = self.get(field);
        let parse = |value: &Value| {
            LabelSelector::deserialize(value).map_err(|error| BadField {
                field: self.at(field),
                why: error.to_string(),
            })
        };
        value.map(parse).transpose()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.object.values().all(Value::is_null)
    }

    /// The first field nobody asked for: something this program does not know of.
    pub fn unknown(&self) -> Option<BadField> {
        let mut fields = self.object.iter().filter(|(_, value)| !value.is_null());
        let (field, _) = fields.find(|(field, _)| !self.asked.contains(&field.as_str()))?;
        Some(BadField {
            field: self.at(field),
            why: "is a field this program does not know".to_owned(),
        })
    }
}

// === impl BadField ===

impl BadField {
    fn new(field: String, found: &Value, wanted: &str) -> Self {
        let found = match found {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Self {
            field,
            why: format!("holds {found} instead of {wanted}"),
        }
    }
}
