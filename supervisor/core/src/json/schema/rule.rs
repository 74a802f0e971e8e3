//! A schema, read.

use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A JSON Schema (draft 2020-12, and what older ones share with it).
#[derive(Debug)]
pub struct Schema {
    pub(super) root: Rule,
}

impl Schema {
    /// Reads the text of a schema.
    ///
    /// # Errors
    /// When it is no JSON, or a keyword has a value of the wrong kind.
    pub fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text).map(|root| Self { root })
    }

    /// What a reference leads to, if it leads to a part of this schema that is kept by name.
    pub(super) fn resolve(&self, reference: &str) -> Option<&Rule> {
        let path = reference.strip_prefix('#')?;
        if path.is_empty() {
            return Some(&self.root);
        }
        let Rule::Keywords(keywords) = &self.root else { return None };
        let unescaped = |name: &str| name.replace("~1", "/").replace("~0", "~");
        let (folder, name) = path.strip_prefix('/')?.split_once('/')?;
        let definitions = match folder {
            "$defs" => &keywords.defs,
            "definitions" => &keywords.definitions,
            _ => return None,
        };
        definitions.get(&unescaped(name))
    }
}

/// What a value must be.
#[derive(Debug)]
pub(super) enum Rule {
    /// Everything is right, or we cannot judge.
    Anything,
    /// Nothing is.
    Nothing,
    /// All of these must hold.
    Keywords(Box<Keywords>),
}

/// The keywords that are judged. All others are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Keywords {
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    #[serde(rename = "$defs")]
    pub(super) defs: BTreeMap<String, Rule>,
    pub(super) definitions: BTreeMap<String, Rule>,
    #[serde(rename = "type")]
    pub(super) types: Option<Types>,
    #[serde(rename = "enum")]
    pub(super) listed: Option<Vec<Box<RawValue>>>,
    #[serde(rename = "const", deserialize_with = "present")]
    pub(super) constant: Option<Box<RawValue>>,
    pub(super) properties: BTreeMap<String, Rule>,
    pub(super) pattern_properties: Option<IgnoredAny>,
    pub(super) additional_properties: Option<Rule>,
    pub(super) required: Vec<String>,
    pub(super) prefix_items: Vec<Rule>,
    pub(super) items: Option<Rule>,
    pub(super) min_items: Option<usize>,
    pub(super) max_items: Option<usize>,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) minimum: Option<Box<RawValue>>,
    pub(super) maximum: Option<Box<RawValue>>,
    /// A number; of old a boolean, which is passed over.
    pub(super) exclusive_minimum: Option<Box<RawValue>>,
    pub(super) exclusive_maximum: Option<Box<RawValue>>,
    pub(super) all_of: Vec<Rule>,
    pub(super) any_of: Vec<Rule>,
    /// At least one of them; that it is only one is the worker's to say.
    pub(super) one_of: Vec<Rule>,
}

/// One type, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Types {
    One(String),
    Several(Vec<String>),
}

impl Types {
    pub(super) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// A value that is there may be null.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RuleVisitor)
    }
}

/// By hand, because numbers must come through as they are written.
struct RuleVisitor;

impl<'de> Visitor<'de> for RuleVisitor {
    type Value = Rule;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a schema: an object, true or false")
    }

    fn visit_bool<E>(self, allows: bool) -> Result<Rule, E> {
        Ok(if allows { Rule::Anything } else { Rule::Nothing })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
        Keywords::deserialize(MapAccessDeserializer::new(map)).map(|it| Rule::Keywords(Box::new(it)))
    }

    /// `items` of old: one schema for each place.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rule, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Rule::Anything)
    }
}
