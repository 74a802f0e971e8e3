//! What two JSON texts have in common when they mean the same.

use std::collections::BTreeMap;

use muster_protocol::value::{JsonToken, tokens};
use sha2::{Digest as _, Sha256};

/// The digest of a value.
type JsonDigest = [u8; 32];

/// A digest that two texts share when they hold the same value: blanks, the order of an object's keys and the way a
/// character is escaped make no difference. Numbers are the same when they are written the same: 1 and 1.0 are not,
/// and no digit is lost. Of a key that is given twice the last one counts.
pub fn digest(json: &str) -> JsonDigest {
    let mut open: Vec<OpenValue> = vec![OpenValue::Array(Sha256::new())];
    // Behind the last token; what `true`, `false` and `null` are made of stands between two of them.
    let mut end = 0;
    for (token, place) in tokens(json.as_bytes()) {
        let word = json.get(end..place.start).unwrap_or_default().trim_ascii();
        if !word.is_empty() {
            take(&mut open, leaf(b'w', word));
        }
        end = place.end;
        let text = json.get(place).unwrap_or_default();
        match token {
            JsonToken::Open(true) => open.push(OpenValue::Object { members: BTreeMap::new(), key: None }),
            JsonToken::Open(false) => open.push(OpenValue::Array(Sha256::new())),
            JsonToken::Close => {
                if let Some(closed) = open.pop() {
                    take(&mut open, closed.digest());
                }
            }
            JsonToken::Comma | JsonToken::Colon => {}
            JsonToken::Number => take(&mut open, leaf(b'n', text)),
            JsonToken::String => {
                // Half a pair of surrogates is no text; then it is what it is written as.
                let value = serde_json::from_str(text).unwrap_or_else(|_| text.to_owned());
                match open.last_mut() {
                    Some(OpenValue::Object { key: key @ None, .. }) => *key = Some(value),
                    Some(OpenValue::Object { .. } | OpenValue::Array(_)) | None => {
                        take(&mut open, leaf(b's', &value))
                    }
                }
            }
        }
    }
    let word = json.get(end..).unwrap_or_default().trim_ascii();
    if !word.is_empty() {
        take(&mut open, leaf(b'w', word));
    }
    open.pop().map_or_else(|| leaf(b'w', ""), OpenValue::digest)
}

/// A value whose end has not come.
enum OpenValue {
    Array(Sha256),
    Object { members: BTreeMap<String, JsonDigest>, key: Option<String> },
}

impl OpenValue {
    fn digest(self) -> JsonDigest {
        match self {
            Self::Array(items) => items.chain_update([b']']).finalize().into(),
            Self::Object { members, .. } => {
                let mut hasher = Sha256::new_with_prefix([b'{']);
                for (key, value) in members {
                    hasher.update(leaf(b'k', &key));
                    hasher.update(value);
                }
                hasher.finalize().into()
            }
        }
    }
}

/// A value is complete: it belongs to the one around it.
fn take(open: &mut [OpenValue], value: JsonDigest) {
    match open.last_mut() {
        Some(OpenValue::Array(items)) => items.update(value),
        Some(OpenValue::Object { members, key }) => {
            members.extend(key.take().map(|key| (key, value)));
        }
        None => {}
    }
}

fn leaf(kind: u8, text: &str) -> JsonDigest {
    Sha256::new_with_prefix([kind]).chain_update(text).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_has_one_digest() {
        let first = r#"{"a":[1,true,null,"x"],"b":{"c":1e400,"d":{}}}"#;
        for same in [
            r#" { "b" : {"d":{ },"c":1e400}, "a" : [ 1 , true,null, "\u0078" ] } "#,
            r#"{"a":0,"b":{"c":1e400,"d":{}},"a":[1,true,null,"x"]}"#,
        ] {
            assert_eq!(digest(first), digest(same), "{same}");
        }
        assert_eq!(digest(" null\n"), digest("null"));
    }

    #[test]
    fn what_differs_anywhere_has_another() {
        let all = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "1.0",
            "-1",
            "\"1\"",
            "\"\"",
            "\"null\"",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "[1]",
            "[1,1]",
            "[[1]]",
            "[1,[1]]",
            "[[1],1]",
            "[[1,1]]",
            "12345678901234567890123",
            "12345678901234567890124",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1,"b":1}"#,
            r#"["a",1]"#,
            r#"{"a":null}"#,
            r#"[null]"#,
            r#"[true]"#,
            r#"[{"a":1}]"#,
            r#"[{"a":1},{"b":1}]"#,
            r#"[{"a":1,"b":1}]"#,
            r#""\ud83d""#,
        ];
        for (place, one) in all.iter().enumerate() {
            for other in &all[..place] {
                assert_ne!(digest(one), digest(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn what_is_nested_deep_needs_no_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_ne!(digest(&deep), digest("[]"));
    }
}
