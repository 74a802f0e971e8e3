//! When something is as it was in a recording, in which secrets are masked.

use muster_protocol::RunOutcome;
use muster_protocol::transcript::MASK;
use serde_json::{Map, Value};

use super::recorded::value;

/// The words of Cancelled and Rejected hold times and paths, so their kind is what counts.
pub(super) fn is_alike_outcome(then: &RunOutcome, now: &RunOutcome) -> bool {
    match (then, now) {
        (RunOutcome::Succeeded { result: then }, RunOutcome::Succeeded { result: now }) => {
            is_alike(&value(then), &value(now))
        }
        (RunOutcome::Failed { error: then }, RunOutcome::Failed { error: now }) => {
            then.kind == now.kind && is_alike_text(&then.message, &now.message)
        }
        (RunOutcome::Cancelled { .. }, RunOutcome::Cancelled { .. })
        | (RunOutcome::Rejected { .. }, RunOutcome::Rejected { .. }) => true,
        (
            RunOutcome::Succeeded { .. }
            | RunOutcome::Failed { .. }
            | RunOutcome::Cancelled { .. }
            | RunOutcome::Rejected { .. },
            _,
        ) => false,
    }
}

/// Equal, but for what the recording masks.
pub(super) fn is_alike(then: &Value, now: &Value) -> bool {
    match (then, now) {
        (Value::String(then), Value::String(now)) => is_alike_text(then, now),
        (Value::Array(then), Value::Array(now)) => {
            then.len() == now.len() && then.iter().zip(now).all(|(then, now)| is_alike(then, now))
        }
        (Value::Object(then), Value::Object(now)) => then.len() == now.len() && is_alike_object(then, now),
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => then == now,
    }
}

/// Keys are masked too. A key without a mask stands for itself, before one with a mask takes what is left.
fn is_alike_object(then: &Map<String, Value>, now: &Map<String, Value>) -> bool {
    let (masked, plain): (Vec<_>, Vec<_>) = then.iter().partition(|(key, _)| key.contains(MASK));
    let same = |(key, value): &(&String, &Value)| now.get(*key).is_some_and(|now| is_alike(value, now));
    let mut left: Vec<_> = now.iter().filter(|(key, _)| !plain.iter().any(|(then, _)| then == key)).collect();
    plain.iter().all(same) && are_paired(&masked, &mut left)
}

/// True when each entry of then has an entry of now for itself. A pairing that leads nowhere is taken back.
fn are_paired(then: &[(&String, &Value)], now: &mut Vec<(&String, &Value)>) -> bool {
    let Some(((key, value), rest)) = then.split_first() else { return now.is_empty() };
    for at in 0..now.len() {
        let candidate = now[at];
        if is_alike_text(key, candidate.0) && is_alike(value, candidate.1) {
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

/// Equal, where each mask stands for any text.
pub(super) fn is_alike_text(then: &str, now: &str) -> bool {
    let Some((first, rest)) = then.split_once(MASK) else { return then == now };
    let Some(mut now) = now.strip_prefix(first) else { return false };
    let mut parts = rest.split(MASK).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return now.ends_with(part);
        }
        let Some(at) = now.find(part) else { return false };
        now = &now[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        assert!(is_alike(&json!({"a": ["***", 1]}), &json!({"a": ["x", 1]})));
        assert!(!is_alike(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
    }

    #[test]
    fn a_mask_in_a_key_stands_for_any_text_too() {
        for (then, now, alike) in [
            (json!({"***": 1}), json!({"tok-abcdef": 1}), true),
            (json!({"***": 1}), json!({"tok-abcdef": 2}), false),
            (json!({"a": 1, "***": 2}), json!({"a": 1, "b": 2}), true),
            (json!({"a": 1, "***": 2}), json!({"b": 1, "c": 2}), false),
            // The general key must leave the special one its own.
            (json!({"***": 1, "***-x": 1}), json!({"a-x": 1, "b": 1}), true),
            (json!({"***-x": 1, "***": 1}), json!({"b": 1, "a-x": 1}), true),
            (json!({"***": 1, "***-x": 1}), json!({"a": 1, "b": 1}), false),
        ] {
            assert_eq!(is_alike(&then, &now), alike, "{then} {now}");
        }
    }
}
