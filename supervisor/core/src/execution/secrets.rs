//! The secret values a process was given, and how they are kept out of what people read.

mod spellings;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};
use muster_protocol::ErrorInfo;
use muster_protocol::transcript::MASK;
use serde_json::Value;
use spellings::Spellings;

/// Above so many sets of secrets they are made one: each is looked for on its own.
const SETS_MAX: usize = 16;

/// Secret values, to be masked in logs and transcripts.
#[derive(Clone, Default)]
pub struct Secrets {
    sets: Vec<Arc<SecretSet>>,
}

/// The secrets of one configuration, with what finds them, which is made when it is first needed.
#[derive(Default)]
struct SecretSet {
    spellings: Spellings,
    finder: OnceLock<Option<AhoCorasick>>,
}

impl Secrets {
    /// The values in these configuration entries, each a key and JSON text, however deep.
    pub fn of<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut spellings = Spellings::default();
        for (key, value) in entries {
            spellings.add(key, value);
        }
        Self::from(spellings.finished())
    }

    /// True when there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// True for the key of a secret configuration entry.
    pub fn has_key(&self, key: &str) -> bool {
        self.sets.iter().any(|set| set.spellings.keys.contains(key))
    }

    /// These and more: what a process that was given both may show. `None` when there is nothing new.
    pub fn with(&self, more: &Self) -> Option<Self> {
        let is_known = |new: &&Arc<SecretSet>| {
            self.sets.iter().any(|set| Arc::ptr_eq(set, new) || set.spellings.contains(&new.spellings))
        };
        let new: Vec<_> = more.sets.iter().filter(|set| !is_known(set)).cloned().collect();
        if new.is_empty() {
            return None;
        }
        let sets: Vec<_> = self.sets.iter().cloned().chain(new).collect();
        if sets.len() <= SETS_MAX {
            return Some(Self { sets });
        }
        let mut all = Spellings::default();
        sets.iter().for_each(|set| all.join(&set.spellings));
        Some(Self::from(all.finished()))
    }

    /// The text with every secret masked.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found: Vec<Range<usize>> = self.sets.iter().flat_map(|set| set.find(text)).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let (mut masked, mut shown_from) = (String::with_capacity(text.len()), 0);
        for range in found {
            if range.start >= shown_from {
                masked.push_str(&text[shown_from..range.start]);
                masked.push_str(MASK);
            }
            // One that begins within another is masked with it, to the end of both.
            shown_from = shown_from.max(range.end);
        }
        masked.push_str(&text[shown_from..]);
        Cow::Owned(masked)
    }

    /// Replaces each secret in the text with the mask.
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

    /// JSON text with every secret in it masked: inside its strings, however they are escaped, and numbers. It stays
    /// JSON.
    pub fn mask_json<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if self.is_empty() {
            return Cow::Borrowed(json);
        }
        let (mut masked, mut copied) = (String::new(), 0);
        for token in spellings::tokens(json) {
            let text = &json[token.clone()];
            let shown = if text.starts_with('"') {
                match serde_json::from_str::<Cow<'_, str>>(text) {
                    Ok(string) => match self.mask(&string) {
                        Cow::Owned(string) => string,
                        Cow::Borrowed(_) => continue,
                    },
                    Err(_) => continue,
                }
            } else if self.is_number(text) {
                MASK.to_owned()
            } else {
                continue;
            };
            masked.push_str(&json[copied..token.start]);
            masked.push_str(&Value::String(shown).to_string());
            copied = token.end;
        }
        if copied == 0 {
            return Cow::Borrowed(json);
        }
        masked.push_str(&json[copied..]);
        Cow::Owned(masked)
    }

    /// How many bytes at the end of this piece of a text may be the beginning of a secret.
    pub fn begun_in(&self, piece: &[u8]) -> usize {
        self.sets.iter().map(|set| set.spellings.begun_in(piece)).max().unwrap_or(0)
    }

    fn is_number(&self, token: &str) -> bool {
        matches!(self.mask(token), Cow::Owned(_))
            || self.sets.iter().any(|set| set.spellings.has_number(token))
    }
}

impl From<Spellings> for Secrets {
    fn from(spellings: Spellings) -> Self {
        let sets =
            if spellings.keys.is_empty() { Vec::new() } else { vec![Arc::new(SecretSet::from(spellings))] };
        Self { sets }
    }
}

impl From<Spellings> for SecretSet {
    fn from(spellings: Spellings) -> Self {
        Self { spellings, finder: OnceLock::new() }
    }
}

impl SecretSet {
    /// Where secrets stand in a text. They may overlap.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let finder = self.finder.get_or_init(|| {
            let patterns = self.spellings.texts.iter().chain(&self.spellings.alone);
            AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns).ok()
        });
        let Some(finder) = finder else { return self.find_one_by_one(text) };
        let matches = finder.find_overlapping_iter(text);
        let counts = matches.filter(|found| {
            found.pattern().as_usize() < self.spellings.texts.len() || stands_alone(text, &found.range())
        });
        counts.map(|found| found.range()).collect()
    }

    /// The same, slower, should there be more than the finder can hold.
    fn find_one_by_one(&self, text: &str) -> Vec<Range<usize>> {
        let all = self.spellings.texts.iter().chain(&self.spellings.alone);
        all.flat_map(|secret| text.match_indices(secret.as_str()).map(|(at, found)| at..at + found.len()))
            .collect()
    }
}

/// True for digits that are no part of a longer number or word.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let digit_behind_point =
        after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    !before.ends_with(is_word) && !before.ends_with('.') && !after.starts_with(is_word) && !digit_behind_point
}

/// Never shows what it holds.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: usize = self.sets.iter().map(|set| set.spellings.keys.len()).sum();
        write!(f, "Secrets({keys})")
    }
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
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
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
    fn a_number_is_masked_as_a_number_however_it_is_written() {
        let long = "12345678901234567890123";
        let secrets = Secrets::of([("pin", "4821"), ("account", "90071992547.25"), ("long", long)]);
        let json = r#"{"pin":4821,"n":[4821.0,4.821e3,48210,14821],"a":9.007199254725e10,"s":"4821"}"#;
        let masked = r#"{"pin":"***","n":["***","***",48210,14821],"a":"***","s":"***"}"#;
        assert_eq!(secrets.mask_json(json), masked);
        assert_eq!(secrets.mask_json(&format!("[{long}]")), r#"["***"]"#);
        assert_eq!(
            secrets.mask("pin=4821, not 48211, 4821.5 or x4821"),
            "pin=***, not 48211, 4821.5 or x4821"
        );
        // A secret that is text may be logged as the number it spells.
        let text = Secrets::of([("pin", r#""87654321""#)]);
        assert_eq!(text.mask_json(r#"{"pin":87654321}"#), r#"{"pin":"***"}"#);
    }

    #[test]
    fn a_secret_in_base64_is_masked_wherever_it_begins_in_what_was_encoded() {
        use base64::Engine as _;
        let secrets = Secrets::of([("token", r#""hunter2-Hunter2?>""#)]);
        for before in ["", "a", "ab", "user:"] {
            for after in ["", "z", "zz", "\n"] {
                let plain = format!("{before}hunter2-Hunter2?>{after}");
                for engine in
                    [&base64::engine::general_purpose::STANDARD, &base64::engine::general_purpose::URL_SAFE]
                {
                    let line = format!("Authorization: Basic {}", engine.encode(&plain));
                    let masked = secrets.mask(&line);
                    assert!(masked.contains("***") && masked.len() < 21 + 3 + 12, "{line} -> {masked}");
                }
            }
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_each_other() {
        let secrets =
            Secrets::of([("a", r#""hunter""#), ("b", r#""hunter2-hunter2""#), ("c", r#""er2-hunter2-x""#)]);
        assert_eq!(secrets.mask("pw=hunter2-hunter2"), "pw=***");
        assert_eq!(secrets.mask("pw=hunter2-hunter2-x."), "pw=***.");
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
        assert_eq!(secrets.mask_json("[7, true]"), "[7, true]");
    }

    #[test]
    fn what_a_process_was_given_is_known_of_all_it_shows() {
        let of = |number: usize| Secrets::of([("token", format!("\"secret-number-{number}\"").as_str())]);
        let mut known = Secrets::default();
        for number in 0..3 * SETS_MAX {
            known = known.with(&of(number)).unwrap();
            assert!(known.with(&of(number)).is_none(), "the same again is nothing new");
            assert!(known.sets.len() <= SETS_MAX);
        }
        for number in 0..3 * SETS_MAX {
            assert_eq!(known.mask(&format!("<secret-number-{number}>")), "<***>");
        }
    }

    #[test]
    fn the_beginning_of_a_secret_at_the_end_of_a_piece_is_told() {
        let secrets = Secrets::of([("a", r#""hunter2-hunter2""#)]);
        assert_eq!(secrets.begun_in(b"pw=hunter2-hun"), 11);
        assert_eq!(secrets.begun_in(b"pw=hunter2-hunter2"), 7);
        assert_eq!(secrets.begun_in(b"nothing"), 0);
        assert_eq!(Secrets::default().begun_in(b"hunt"), 0);
    }
}
