//! A value held to a schema.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use muster_protocol::compare::ExactNumber;
use muster_protocol::value::is_plain_key;
use serde_json::value::RawValue;

use super::rule::{Keywords, Rule, Schema};
use super::value::{DEPTH_MAX, JsonShape, brief, quoted, same};

/// So many problems are told.
const PROBLEMS_MAX: usize = 20;
/// So many bytes are read in all, each as often as it is looked at; what is left then is right.
const READ_MAX_BYTES: usize = 64 * 1024 * 1024;

/// What is wrong with a value that goes by `name`, each problem with its place: `parameters.items[0]: must be ...`.
pub fn check_schema(schema: &Schema, value: &RawValue, name: &str) -> Vec<String> {
    let mut checker = Checker { schema, problems: Vec::new(), left_bytes: READ_MAX_BYTES };
    checker.rule(&schema.root, value, name, 0);
    let more = checker.problems.len().saturating_sub(PROBLEMS_MAX);
    if more > 0 {
        checker.problems.truncate(PROBLEMS_MAX);
        checker.problems.push(format!("and {more} more"));
    }
    checker.problems
}

struct Checker<'a> {
    schema: &'a Schema,
    problems: Vec<String>,
    left_bytes: usize,
}

impl Checker<'_> {
    fn rule(&mut self, rule: &Rule, value: &RawValue, path: &str, depth: usize) {
        if depth > DEPTH_MAX || self.left_bytes < value.get().len() {
            return;
        }
        self.left_bytes -= value.get().len();
        match rule {
            Rule::Anything => {}
            Rule::Nothing => self.wrong(path, "must not be there"),
            Rule::Keywords(keywords) => {
                let Some(shape) = JsonShape::read(value) else { return };
                self.keywords(keywords, value, &shape, path, depth);
            }
        }
    }

    fn keywords(
        &mut self,
        rule: &Keywords,
        value: &RawValue,
        shape: &JsonShape<'_>,
        path: &str,
        depth: usize,
    ) {
        if let Some(types) = &rule.types
            && !types.names().iter().any(|name| shape.is(name))
        {
            let wanted: Vec<_> = types.names().iter().map(|name| in_words(name)).collect();
            return self
                .wrong(path, &format!("must be {}, and is {}", wanted.join(" or "), quoted(value, shape)));
        }
        self.listed(rule, value, shape, path);
        match shape {
            JsonShape::Null | JsonShape::Boolean | JsonShape::Number(None) => {}
            JsonShape::Number(Some(number)) => self.number(rule, number, path),
            JsonShape::Text(text) => {
                self.length(text.chars().count(), rule.min_length, rule.max_length, "characters", path)
            }
            JsonShape::Array(items) => self.items(rule, items, path, depth),
            JsonShape::Object(members) => self.members(rule, members, path, depth),
        }
        if let Some(target) = rule.reference.as_deref().and_then(|reference| self.schema.resolve(reference)) {
            self.rule(target, value, path, depth + 1);
        }
        for rule in &rule.all_of {
            self.rule(rule, value, path, depth + 1);
        }
        for alternatives in [&rule.any_of, &rule.one_of] {
            self.alternatives(alternatives, value, shape, path, depth);
        }
    }

    fn listed(&mut self, rule: &Keywords, value: &RawValue, shape: &JsonShape<'_>, path: &str) {
        let is_one = |values: &[Box<RawValue>]| values.iter().any(|listed| same(listed, value, 0));
        let values = match (&rule.listed, &rule.constant) {
            (Some(listed), _) if !is_one(listed) => listed.as_slice(),
            (_, Some(constant)) if !is_one(std::slice::from_ref(constant)) => std::slice::from_ref(constant),
            (Some(_) | None, Some(_) | None) => return,
        };
        let shown: Vec<_> = values.iter().take(10).map(|value| brief(value.get())).collect();
        let rest = if values.len() > shown.len() { ", ..." } else { "" };
        self.wrong(path, &format!("must be {}{rest}, and is {}", shown.join(", "), quoted(value, shape)));
    }

    fn number(&mut self, rule: &Keywords, number: &ExactNumber, path: &str) {
        let bounds = [
            (&rule.minimum, "at least", [Ordering::Greater, Ordering::Equal]),
            (&rule.maximum, "at most", [Ordering::Less, Ordering::Equal]),
            (&rule.exclusive_minimum, "more than", [Ordering::Greater; 2]),
            (&rule.exclusive_maximum, "less than", [Ordering::Less; 2]),
        ];
        for (bound, words, allowed) in bounds {
            let Some(text) = bound.as_ref().map(|bound| bound.get()) else { continue };
            if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
                continue;
            }
            if ExactNumber::read(text).is_some_and(|bound| !allowed.contains(&number.cmp(&bound))) {
                self.wrong(path, &format!("must be {words} {text}"));
            }
        }
    }

    fn length(&mut self, length: usize, min: Option<usize>, max: Option<usize>, unit: &str, path: &str) {
        if let Some(min) = min.filter(|min| length < *min) {
            self.wrong(path, &format!("must have at least {min} {unit}, and has {length}"));
        }
        if let Some(max) = max.filter(|max| length > *max) {
            self.wrong(path, &format!("must have at most {max} {unit}, and has {length}"));
        }
    }

    fn items(&mut self, rule: &Keywords, items: &[&RawValue], path: &str, depth: usize) {
        self.length(items.len(), rule.min_items, rule.max_items, "items", path);
        for (place, item) in items.iter().enumerate() {
            if self.is_full() {
                return;
            }
            if let Some(rule) = rule.prefix_items.get(place).or(rule.items.as_ref()) {
                self.rule(rule, item, &format!("{path}[{place}]"), depth + 1);
            }
        }
    }

    fn members(&mut self, rule: &Keywords, members: &BTreeMap<String, &RawValue>, path: &str, depth: usize) {
        for name in &rule.required {
            if !members.contains_key(name) {
                self.wrong(&member(path, name), "is required");
            }
        }
        for (name, value) in members {
            if self.is_full() {
                return;
            }
            match (rule.properties.get(name), &rule.additional_properties) {
                (Some(rule), _) => self.rule(rule, value, &member(path, name), depth + 1),
                (None, Some(Rule::Nothing)) if rule.pattern_properties.is_none() => {
                    let known: Vec<_> = rule.properties.keys().map(String::as_str).take(20).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    self.wrong(&member(path, name), &format!("is not known; known are: {known}"));
                }
                (None, Some(additional)) if rule.pattern_properties.is_none() => {
                    self.rule(additional, value, &member(path, name), depth + 1);
                }
                (None, Some(_) | None) => {}
            }
        }
    }

    /// One of them must hold. Where only one is of the value's type, what it says is said.
    fn alternatives(
        &mut self,
        rules: &[Rule],
        value: &RawValue,
        shape: &JsonShape<'_>,
        path: &str,
        depth: usize,
    ) {
        if rules.is_empty() {
            return;
        }
        let mut near = Vec::new();
        for rule in rules {
            let before = self.problems.len();
            self.rule(rule, value, path, depth + 1);
            let found = self.problems.split_off(before);
            if found.is_empty() {
                return;
            }
            if self.fits_type(rule, shape) {
                near.push(found);
            }
        }
        match (near.pop(), near.is_empty()) {
            (Some(found), true) => self.problems.extend(found),
            (Some(_), false) => self.wrong(path, &format!("fits none of its {} forms", rules.len())),
            (None, _) => {
                let wanted: Vec<_> = rules.iter().filter_map(types_in_words).collect();
                self.wrong(
                    path,
                    &format!("must be {}, and is {}", wanted.join(" or "), quoted(value, shape)),
                );
            }
        }
    }

    fn fits_type(&self, rule: &Rule, shape: &JsonShape<'_>) -> bool {
        let Rule::Keywords(keywords) = rule else { return true };
        let target = keywords.reference.as_deref().and_then(|reference| self.schema.resolve(reference));
        let types = match target {
            Some(Rule::Keywords(target)) => keywords.types.as_ref().or(target.types.as_ref()),
            Some(Rule::Anything | Rule::Nothing) | None => keywords.types.as_ref(),
        };
        types.is_none_or(|types| types.names().iter().any(|name| shape.is(name)))
    }

    fn is_full(&self) -> bool {
        self.problems.len() > PROBLEMS_MAX
    }

    fn wrong(&mut self, path: &str, what: &str) {
        self.problems.push(format!("{path}: {what}"));
    }
}

fn types_in_words(rule: &Rule) -> Option<String> {
    let Rule::Keywords(keywords) = rule else { return None };
    let names = keywords.types.as_ref()?.names().iter();
    Some(names.map(|name| in_words(name)).collect::<Vec<_>>().join(" or "))
}

fn in_words(type_name: &str) -> &str {
    match type_name {
        "null" => "null",
        "boolean" => "true or false",
        "number" => "a number",
        "integer" => "a whole number",
        "string" => "text",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

/// `.name`, or `["two words"]`, as everywhere in messages about values.
fn member(path: &str, name: &str) -> String {
    if is_plain_key(name) {
        format!("{path}.{name}")
    } else {
        format!("{path}[{}]", serde_json::to_string(&brief(name)).unwrap_or_default())
    }
}
