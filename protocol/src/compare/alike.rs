//! When a value is as it was in a recording, in which secrets are masked.
//!
//! Exact: 1 and 1.0 differ, because a function that returned the one and returns the other has changed. Only a mask
//! stands for any text, in keys too.

use std::collections::BTreeMap;

use super::reader::ComparedJson;
use super::{is_double, is_same_double};
use crate::transcript::MASK;

/// Equal JSON texts, but for what the recording masks; the order of keys is free. No text is `null`, and what is no
/// JSON is compared as the text it is.
pub fn is_alike(then: &str, now: &str) -> bool {
    let whole = |text: &str| if text.is_empty() { "null".to_owned() } else { text.to_owned() };
    let (then, now) = (whole(then), whole(now));
    match (ComparedJson::parse(&then), ComparedJson::parse(&now)) {
        (Some(then), Some(now)) => is_alike_value(&then, &now),
        _ => is_alike_text(&then, &now),
    }
}

/// Equal, where each mask stands for any text.
pub fn is_alike_text(then: &str, now: &str) -> bool {
    is_masked(then.as_bytes(), now.as_bytes(), MASK.as_bytes())
}

fn is_alike_value(then: &ComparedJson, now: &ComparedJson) -> bool {
    match (then, now) {
        (ComparedJson::Number(then), ComparedJson::Number(now)) => is_alike_number(then, now),
        (ComparedJson::Text(then), ComparedJson::Text(now)) => is_masked(then, now, &mask()),
        (ComparedJson::List(then), ComparedJson::List(now)) => {
            then.len() == now.len() && then.iter().zip(now).all(|(then, now)| is_alike_value(then, now))
        }
        (ComparedJson::Object(then), ComparedJson::Object(now)) => {
            then.len() == now.len() && is_alike_object(then, now)
        }
        (
            ComparedJson::Word(_)
            | ComparedJson::Number(_)
            | ComparedJson::Text(_)
            | ComparedJson::List(_)
            | ComparedJson::Object(_),
            _,
        ) => then == now,
    }
}

/// Integers digit for digit, doubles when they are the same one.
fn is_alike_number(then: &str, now: &str) -> bool {
    match (is_double(then), is_double(now)) {
        (true, true) => is_same_double(then, now),
        (false, false) => then == now,
        (true, false) | (false, true) => false,
    }
}

type ObjectEntries = BTreeMap<Vec<u16>, ComparedJson>;

/// Keys are masked too. A key without a mask stands for itself, before one with a mask takes what is left.
fn is_alike_object(then: &ObjectEntries, now: &ObjectEntries) -> bool {
    let mask = mask();
    let (masked, plain): (Vec<_>, Vec<_>) = then.iter().partition(|(key, _)| find(key, &mask).is_some());
    let same =
        |(key, then): &(&Vec<u16>, &ComparedJson)| now.get(*key).is_some_and(|now| is_alike_value(then, now));
    let mut left: Vec<_> = now.iter().filter(|(key, _)| !plain.iter().any(|(then, _)| then == key)).collect();
    plain.iter().all(same) && are_paired(&masked, &mut left)
}

/// True when each entry of then has an entry of now for itself. A pairing that leads nowhere is taken back.
fn are_paired(then: &[(&Vec<u16>, &ComparedJson)], now: &mut Vec<(&Vec<u16>, &ComparedJson)>) -> bool {
    let Some(((key, value), rest)) = then.split_first() else { return now.is_empty() };
    for at in 0..now.len() {
        let candidate = now[at];
        if is_masked(key, candidate.0, &mask()) && is_alike_value(value, candidate.1) {
            now.swap_remove(at);
            if are_paired(rest, now) {
                return true;
            }
            now.push(candidate);
            let last = now.len() - 1;
            now.swap(at, last);
        }
    }
    false
}

fn mask() -> Vec<u16> {
    MASK.encode_utf16().collect()
}

fn is_masked<T: PartialEq>(then: &[T], now: &[T], mask: &[T]) -> bool {
    let Some(at) = find(then, mask) else { return then == now };
    let Some(mut now) = now.strip_prefix(&then[..at]) else { return false };
    let mut rest = &then[at + mask.len()..];
    while let Some(at) = find(rest, mask) {
        let Some(found) = find(now, &rest[..at]) else { return false };
        now = &now[found + at..];
        rest = &rest[at + mask.len()..];
    }
    now.ends_with(rest)
}

fn find<T: PartialEq>(text: &[T], part: &[T]) -> Option<usize> {
    if part.is_empty() { Some(0) } else { text.windows(part.len()).position(|window| window == part) }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    /// What every program that replays must tell apart, and what not.
    #[test]
    fn the_table_of_recorded_and_replayed_values_holds() {
        #[derive(Deserialize)]
        struct Row<'a> {
            #[serde(borrow)]
            then: &'a RawValue,
            #[serde(borrow)]
            now: &'a RawValue,
            same: bool,
        }
        let table = include_str!("../../vectors/replayed_values.jsonl");
        for line in table.lines() {
            let row: Row<'_> = serde_json::from_str(line).unwrap();
            assert_eq!(is_alike(row.then.get(), row.now.get()), row.same, "{line}");
        }
        assert!(table.lines().count() > 30);
    }

    #[test]
    fn a_text_that_is_nothing_is_null_and_what_is_no_json_is_a_text() {
        assert!(is_alike("", "null") && is_alike("null", ""));
        assert!(is_alike("{broken", "{broken") && !is_alike("{broken", "{broke"));
        let deep = "[".repeat(1_000_000);
        assert!(is_alike(&deep, &deep) && !is_alike(&deep, "[]"));
    }

    #[test]
    fn a_mask_stands_for_any_text() {
        for (then, now, alike) in [
            ("key ***!", "key abc!", true),
            ("key ***!", "key !", true),
            ("key ***!", "key abc?", false),
            ("***-***-end", "a-b-end", true),
            ("***-***-end", "ab-end", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(is_alike_text(then, now), alike, "{then} {now}");
        }
    }
}
