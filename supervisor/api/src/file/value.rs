//! Values of configuration as JSON and as TOML.

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::place::key_text;
use super::same::is_same;

/// The key of a table that holds JSON as text.
const JSON: &str = "json";

/// What is nested deeper is written as JSON: who reads TOML gives up at 80, and tables by a name with dots are written
/// within one another.
const NESTED_MAX: usize = 32;

/// The JSON that a value of a file stands for.
pub(super) fn json(value: &toml::Value) -> Result<Box<RawValue>, String> {
    if let Some(text) = json_text(value) {
        return serde_json::from_str(text).map_err(|error| format!("the text of `json` is no JSON: {error}"));
    }
    to_raw_value(&AsJson(value)).map_err(|error| error.to_string())
}

/// The text of `{ json = '…' }`.
fn json_text(value: &toml::Value) -> Option<&str> {
    let table = value.as_table().filter(|table| table.len() == 1)?;
    table.get(JSON)?.as_str()
}

/// The value of a file that stands for this JSON.
pub(super) fn toml(value: &RawValue) -> toml::Value {
    let plain = serde_json::from_str::<toml::Value>(value.get()).ok();
    // What does not come back as the same is kept as JSON, and so is what would not come back at all.
    let plain = plain.filter(|plain| is_flat(plain, NESTED_MAX));
    let plain = plain.filter(|plain| json(plain).is_ok_and(|back| is_same(value, &back)));
    plain.unwrap_or_else(|| {
        let text = toml::Value::String(value.get().to_owned());
        toml::Value::Table(std::iter::once((JSON.to_owned(), text)).collect())
    })
}

/// Tells of each number in a table that JSON does not have, with its place: it would arrive as nothing at all.
pub(super) fn not_finite(place: &str, value: &toml::Value, problems: &mut Vec<String>) {
    match value {
        toml::Value::Float(number) if !number.is_finite() => {
            problems.push(format!("{place}: {number} is no number that JSON has"));
        }
        toml::Value::Table(table) => {
            for (key, value) in table {
                not_finite(&format!("{place}.{}", key_text(key)), value, problems);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| not_finite(place, item, problems)),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => {}
    }
}

/// Whether it is nested so deep at most.
fn is_flat(value: &toml::Value, most: usize) -> bool {
    let is_flat_inside = |value: &toml::Value| most > 0 && is_flat(value, most - 1);
    match value {
        toml::Value::Array(items) => items.iter().all(is_flat_inside),
        toml::Value::Table(table) => table.values().all(is_flat_inside),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => true,
    }
}

struct AsJson<'a>(&'a toml::Value);

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            toml::Value::String(text) => serializer.serialize_str(text),
            toml::Value::Integer(number) => serializer.serialize_i64(*number),
            toml::Value::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            toml::Value::Float(number) => {
                Err(serde::ser::Error::custom(format!("{number} is no number that JSON has")))
            }
            toml::Value::Boolean(flag) => serializer.serialize_bool(*flag),
            // JSON has no times: they are texts.
            toml::Value::Datetime(at) => serializer.serialize_str(&at.to_string()),
            toml::Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&AsJson(item))?;
                }
                list.end()
            }
            toml::Value::Table(table) => {
                let mut map = serializer.serialize_map(Some(table.len()))?;
                for (key, value) in table {
                    map.serialize_entry(key, &AsJson(value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_from_a_file_as_it_was() {
        for text in [
            "null",
            "true",
            "1",
            "-1.5",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775809",
            "12345678901234567890123",
            "10000000000000000000000",
            "[{\"n\": 18446744073709551617}]",
            "0.1000000000000000055511151231257827",
            "-0.0",
            "-0",
            "1.50",
            "1E5",
            "1e400",
            "\"a\\u0000b\"",
            "[1, null]",
            "[]",
            "{}",
            "{\"a\": {\"b\": [1, \"x\", 2.0]}}",
            "{\"json\": \"1\"}",
            "{\"a\": null}",
            "\"2026-01-01T00:00:00Z\"",
        ] {
            let value = RawValue::from_string(text.to_owned()).unwrap();
            let file = toml::to_string(&std::collections::BTreeMap::from([("v", toml(&value))])).unwrap();
            let read: std::collections::BTreeMap<String, toml::Value> = toml::from_str(&file).unwrap();
            let back = json(&read["v"]).unwrap();
            assert!(back.get() == text || is_same(&value, &back), "{text} came back as {}", back.get());
        }
    }

    #[test]
    fn what_is_nested_deep_comes_back_too() {
        for depth in [1, NESTED_MAX, NESTED_MAX + 1, 100, 500] {
            let nested = [("{\"a\":", "}"), ("[", "]")];
            for (open, close) in nested {
                let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let value = RawValue::from_string(text.clone()).unwrap();
                let file =
                    toml::to_string_pretty(&std::collections::BTreeMap::from([("v", toml(&value))])).unwrap();
                let read: std::collections::BTreeMap<String, toml::Value> =
                    toml::from_str(&file).unwrap_or_else(|error| panic!("{depth} deep: {error}"));
                let back = json(&read["v"]).unwrap();
                assert!(back.get() == text || is_same(&value, &back), "{text} came back as {}", back.get());
            }
        }
    }

    #[test]
    fn what_json_has_no_word_for_is_refused() {
        assert!(json(&toml::Value::Float(f64::NAN)).unwrap_err().contains("no number"));
        let table = toml::from_str::<toml::Value>("json = '{'").unwrap();
        assert!(json(&table).unwrap_err().contains("no JSON"));
    }
}
