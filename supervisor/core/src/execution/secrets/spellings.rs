//! How a secret may be spelled in what people read.

use std::collections::BTreeSet;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Shorter values would be found in every text; they are masked where their key tells what they are, and nowhere
/// else.
const SECRET_MIN_BYTES: usize = 4;
/// A line of a secret of several lines, and the digits of a number, are as good as unique from this length on.
const PART_MIN_BYTES: usize = 8;
/// And so much of a secret in base64.
const BASE64_MIN_BYTES: usize = 6;
/// The beginning of a secret is looked for at the end of a piece up to this length.
const BEGUN_MAX_BYTES: usize = 16 * 1024;

/// All spellings of the secrets of a configuration.
#[derive(Clone, Default)]
pub(super) struct Spellings {
    /// The configuration keys they are the values of.
    pub(super) keys: BTreeSet<String>,
    /// What is masked wherever it stands.
    pub(super) texts: Vec<String>,
    /// Digits that are masked where they are no part of anything longer.
    pub(super) alone: Vec<String>,
    /// The bits of secret numbers, which may be written in many ways.
    numbers: BTreeSet<u64>,
}

impl Spellings {
    /// Adds the strings and numbers of an entry, however deep.
    pub(super) fn add(&mut self, key: &str, json: &str) {
        self.keys.insert(key.to_owned());
        for token in values(json) {
            let text = &json[token];
            if !text.starts_with('"') {
                self.add_number(text);
            } else if let Ok(text) = serde_json::from_str::<String>(text) {
                self.add_text(text);
            }
        }
    }

    /// Adds those of another configuration.
    pub(super) fn join(&mut self, other: &Self) {
        self.keys.extend(other.keys.iter().cloned());
        self.texts.extend(other.texts.iter().cloned());
        self.alone.extend(other.alone.iter().cloned());
        self.numbers.extend(&other.numbers);
    }

    /// True when all of the other's are among these. Both are in order.
    pub(super) fn contains(&self, other: &Self) -> bool {
        let has_all = |ours: &[String], theirs: &[String]| {
            theirs.iter().all(|secret| ours.binary_search(secret).is_ok())
        };
        has_all(&self.texts, &other.texts)
            && has_all(&self.alone, &other.alone)
            && self.keys.is_superset(&other.keys)
            && self.numbers.is_superset(&other.numbers)
    }

    /// In order, each once.
    pub(super) fn finished(mut self) -> Self {
        self.texts.retain(|text| text.len() >= SECRET_MIN_BYTES);
        for texts in [&mut self.texts, &mut self.alone] {
            texts.sort();
            texts.dedup();
        }
        self
    }

    /// True for a number of the same value as a secret one.
    pub(super) fn has_number(&self, token: &str) -> bool {
        !self.numbers.is_empty()
            && token.parse().is_ok_and(|number: f64| self.numbers.contains(&number.to_bits()))
    }

    /// How many bytes at the end of this piece of a text may be the beginning of one of them.
    pub(super) fn begun_in(&self, piece: &[u8]) -> usize {
        let begun = |secret: &String| {
            let longest = (secret.len() - 1).min(piece.len()).min(BEGUN_MAX_BYTES);
            (1..=longest).rev().find(|length| piece.ends_with(&secret.as_bytes()[..*length])).unwrap_or(0)
        };
        self.texts.iter().map(begun).max().unwrap_or(0)
    }

    /// As it was written, and as programs write it that read it as a double.
    fn add_number(&mut self, literal: &str) {
        let mut spelled = vec![literal.to_owned()];
        if let Ok(number) = literal.parse::<f64>()
            && number.is_finite()
        {
            spelled.extend([number.to_string(), Value::from(number).to_string()]);
            if literal.len() >= SECRET_MIN_BYTES {
                self.numbers.insert(number.to_bits());
            }
        }
        for digits in spelled {
            if digits.len() >= PART_MIN_BYTES {
                self.texts.extend(in_base64(digits.as_bytes()));
                self.texts.push(digits);
            } else if digits.len() >= SECRET_MIN_BYTES {
                self.alone.push(digits);
            }
        }
    }

    /// As it is, as JSON inside a text spells it, in base64, and line by line, because what is printed is read a
    /// line at a time.
    fn add_text(&mut self, text: String) {
        if text.len() < SECRET_MIN_BYTES {
            return;
        }
        if text.contains('\n') {
            let lines = text.lines().map(str::trim).filter(|line| line.len() >= PART_MIN_BYTES);
            self.texts.extend(lines.map(str::to_owned));
        }
        self.texts.extend(in_base64(text.as_bytes()));
        let quoted = Value::String(text.clone()).to_string();
        let inner = &quoted[1..quoted.len() - 1];
        if !inner.is_ascii() {
            self.texts.push(in_ascii(inner));
        }
        self.texts.push(inner.to_owned());
        self.texts.push(text);
    }
}

/// JSON's spelling without any but ASCII characters, as Python writes it.
fn in_ascii(text: &str) -> String {
    let escape = |character: char| {
        let mut units = [0; 2];
        let units = character.encode_utf16(&mut units).iter();
        if character.is_ascii() {
            character.to_string()
        } else {
            units.map(|unit| format!("\\u{unit:04x}")).collect()
        }
    };
    text.chars().map(escape).collect()
}

/// What is sure to be seen of these bytes in base64, whatever stands before and after them: three spellings, one for
/// each place at which they may begin in a group of three, in both alphabets.
fn in_base64(bytes: &[u8]) -> Vec<String> {
    let mut spelled = Vec::new();
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend_from_slice(bytes);
        let whole = (before * 8).div_ceil(6)..padded.len() * 8 / 6;
        if whole.len() < BASE64_MIN_BYTES {
            continue;
        }
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            spelled.push(engine.encode(&padded)[whole.clone()].to_owned());
        }
    }
    spelled
}

/// Where the strings and numbers of JSON text stand, quotes included. Text that is no JSON gives what looks like it.
pub(super) fn tokens(json: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            match bytes[start] {
                b'"' => {
                    let end = end_of_string(bytes, start)?;
                    at = end;
                    return Some(start..end);
                }
                b'-' | b'0'..=b'9' => {
                    let is_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                    at += bytes[start..].iter().take_while(|byte| is_number(byte)).count();
                    return Some(start..at);
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// The tokens that are no keys of objects.
fn values(json: &str) -> impl Iterator<Item = Range<usize>> {
    tokens(json).filter(|token| !json[token.end..].trim_start().starts_with(':'))
}

fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut escaped = false;
    let end = bytes.iter().enumerate().skip(start + 1).find(|(_, byte)| {
        let ends = **byte == b'"' && !escaped;
        escaped = **byte == b'\\' && !escaped;
        ends
    });
    end.map(|(end, _)| end + 1)
}
