//! The secret values of a run's configuration, and how they are kept out of what people read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use muster_protocol::ErrorInfo;
use muster_protocol::transcript::MASK;
use serde_json::Value;

/// Shorter values would be found in every text; they are masked where their key tells what they are, and nowhere
/// else.
const SECRET_MIN_BYTES: usize = 4;
/// A line of a secret of several lines, and the digits of a number, are as good as unique from this length on.
const PART_MIN_BYTES: usize = 8;

/// Secret values, to be masked in logs and transcripts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The configuration keys they are the values of.
    keys: BTreeSet<String>,
    /// The longest first, so that one that contains another is masked whole.
    values: Vec<String>,
}

impl Secrets {
    /// The strings in these configuration entries, each a key and JSON text, however deep.
    pub fn of<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut keys, mut strings) = (BTreeSet::new(), Vec::new());
        for (key, value) in entries {
            keys.insert(key.to_owned());
            match serde_json::from_str(value) {
                Ok(value) => collect(value, &mut strings),
                Err(_) => strings.push(value.to_owned()),
            }
        }
        strings.retain(|value| value.len() >= SECRET_MIN_BYTES);
        strings.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        strings.dedup();
        Self { keys, values: strings }
    }

    /// True when there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// True for the key of a secret configuration entry.
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// The text with every secret masked.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for value in &self.values {
            if masked.contains(value.as_str()) {
                masked = Cow::Owned(masked.replace(value.as_str(), MASK));
            }
        }
        masked
    }

    /// Masks every secret in place.
    pub fn mask_in(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked;
        }
    }

    /// Masks every secret in an error.
    pub fn mask_error(&self, error: &mut ErrorInfo) {
        for text in [&mut error.kind, &mut error.message, &mut error.stack] {
            self.mask_in(text);
        }
    }

    /// JSON text with every secret inside its strings masked, however they are escaped. It stays JSON.
    pub fn mask_json<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if self.is_empty() {
            return Cow::Borrowed(json);
        }
        let (mut masked, mut copied, mut rest) = (String::new(), 0, json);
        while let Some(literal) = next_string(rest) {
            let at = json.len() - rest.len() + literal.start;
            let quoted = &rest[literal.clone()];
            rest = &rest[literal.end..];
            let Ok(text) = serde_json::from_str::<Cow<'_, str>>(quoted) else { continue };
            if let Cow::Owned(text) = self.mask(&text) {
                masked.push_str(&json[copied..at]);
                masked.push_str(&Value::String(text).to_string());
                copied = at + quoted.len();
            }
        }
        if copied == 0 {
            return Cow::Borrowed(json);
        }
        masked.push_str(&json[copied..]);
        Cow::Owned(masked)
    }
}

/// Never shows what it holds.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

fn collect(value: Value, strings: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            strings.extend(Some(number.to_string()).filter(|digits| digits.len() >= PART_MIN_BYTES));
        }
        Value::String(text) => spell(text, strings),
        Value::Array(values) => values.into_iter().for_each(|value| collect(value, strings)),
        Value::Object(map) => map.into_iter().for_each(|(_, value)| collect(value, strings)),
    }
}

/// A secret as it may stand in a text: as it is, as JSON inside a text spells it, and line by line, because what
/// is printed is read a line at a time.
fn spell(text: String, strings: &mut Vec<String>) {
    if text.contains('\n') {
        let lines = text.lines().map(str::trim).filter(|line| line.len() >= PART_MIN_BYTES);
        strings.extend(lines.map(str::to_owned));
    }
    let quoted = Value::String(text.clone()).to_string();
    strings.push(quoted[1..quoted.len() - 1].to_owned());
    strings.push(text);
}

/// Where the next string of JSON text stands, its quotes included.
fn next_string(json: &str) -> Option<std::ops::Range<usize>> {
    let start = json.find('"')?;
    let mut escaped = false;
    let end = json.bytes().enumerate().skip(start + 1).find(|(_, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map(|(end, _)| start..end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let secrets = Secrets::of([
            ("one", r#""s3cret!""#),
            ("many", r#"{"user":"root","keys":["a\"b\"c", 12345678, 12]}"#),
        ]);
        assert_eq!(secrets.mask("key s3cret! used twice: s3cret!"), "key *** used twice: ***");
        assert_eq!(secrets.mask("nothing here"), "nothing here");
        assert_eq!(secrets.mask("number 12345678, 12"), "number ***, 12");
        assert_eq!(secrets.mask(r#"logged {"k":"a\"b\"c"}"#), r#"logged {"k":"***"}"#);
        assert!(secrets.has_key("many") && !secrets.has_key("user"));
        assert_eq!(format!("{secrets:?}"), "Secrets(5)");
    }

    #[test]
    fn json_stays_json_however_a_secret_is_escaped() {
        let secrets = Secrets::of([("a", r#""tr\"üe\\""#), ("b", r#""true""#)]);
        let json = r#"{"a":true,"b":"x tr\"\u00fce\\","true":["tr\"üe\\", "\\", 1.50]}"#;
        assert_eq!(secrets.mask_json(json), r#"{"a":true,"b":"x ***","***":["***", "\\", 1.50]}"#);
        assert!(matches!(secrets.mask_json(r#"{"a": "nothing"}"#), Cow::Borrowed(_)));
        assert_eq!(secrets.mask_json("\"broken"), "\"broken");
    }

    #[test]
    fn a_secret_inside_another_leaves_nothing_of_the_longer_one() {
        let secrets = Secrets::of([("a", r#""hunter""#), ("b", r#""hunter2-hunter2""#)]);
        assert_eq!(secrets.mask("pw=hunter2-hunter2"), "pw=***");
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_line_by_line() {
        let secrets = Secrets::of([("pem", r#""-----BEGIN-----\nMIIEvQIBADANBg\nend""#)]);
        assert_eq!(secrets.mask("MIIEvQIBADANBg"), "***");
        assert_eq!(secrets.mask("the end"), "the end");
    }

    #[test]
    fn what_is_too_short_to_protect_anything_is_masked_by_its_key_alone() {
        let secrets = Secrets::of([("a", r#""abc""#), ("b", "true"), ("c", "7")]);
        assert!(secrets.has_key("a") && !secrets.is_empty());
        assert_eq!(secrets.mask("abc true 7"), "abc true 7");
    }
}
