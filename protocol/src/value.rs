//! What JSON text may hold so that every store keeps it and every worker reads it, and what to do with the rest.
//!
//! A value that people rely on (a result, state, the parameters of a child) is refused with its place; what is only
//! read (a log, a progress message, an error) is mended. Text is looked at once and never made a tree of. This is no
//! validator: what it is given must be JSON already.

use std::borrow::Cow;
use std::fmt;

use crate::limits::JSON_DEPTH_MAX;

/// A path longer than this is cut.
const PATH_MAX_CHARS: usize = 200;
/// A number of no more characters than this and without an exponent fits into a double.
const PLAIN_NUMBER_MAX_BYTES: usize = 300;

/// A place in a value that cannot be kept, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// `result.items[0].name`, or `a key of result.items[0]`.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// Why a value cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    TooDeep,
    /// A number above what a double holds.
    TooLarge,
    /// Half of a surrogate pair: text that no UTF-8 holds.
    HalfPair,
    /// U+0000, which PostgreSQL holds in no text.
    Nul,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(
                f,
                "is nested more than {JSON_DEPTH_MAX} deep; flatten it, or store it elsewhere and pass a reference"
            ),
            Self::TooLarge => f.write_str("is a number that no double holds; write it as a string"),
            Self::HalfPair => f.write_str(
                "holds half of a surrogate pair, which is no text; cut text between whole characters",
            ),
            Self::Nul => f.write_str("holds the character U+0000, which databases do not keep; remove it"),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.problem)
    }
}

/// Looks for the first place that cannot be kept. `root` is what the value as a whole is called; with an empty one
/// paths begin with the first key.
///
/// # Errors
/// When there is such a place.
pub fn check(json: &[u8], root: &str) -> Result<(), Unfit> {
    told(json, root, first_problem(json, true))
}

/// [`check`] of numbers and depth alone: a worker may be given any text, and it is refused where it is passed on.
///
/// # Errors
/// When there is such a place.
pub fn check_shape(json: &[u8], root: &str) -> Result<(), Unfit> {
    told(json, root, first_problem(json, false))
}

fn told(json: &[u8], root: &str, found: Option<(usize, Problem)>) -> Result<(), Unfit> {
    match found {
        None => Ok(()),
        Some((at, problem)) => Err(Unfit { path: path_to(json, at, root), problem }),
    }
}

fn first_problem(json: &[u8], with_texts: bool) -> Option<(usize, Problem)> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = json.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => {
                at = string_end(json, start);
                if with_texts && let Some(problem) = unfit_text(&json[start..at]) {
                    return Some((start, problem));
                }
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Some((start, Problem::TooDeep));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                at = number_end(json, start);
                if !is_double(&json[start..at]) {
                    return Some((start, Problem::TooLarge));
                }
            }
            _ => {}
        }
    }
    None
}

/// Behind the closing quote of the string that begins at `start`.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = json[at.min(json.len())..].iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        at += found;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

fn number_end(json: &[u8], start: usize) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    json[start..].iter().position(|byte| !is_part(byte)).map_or(json.len(), |length| start + length)
}

fn is_double(number: &[u8]) -> bool {
    if number.len() <= PLAIN_NUMBER_MAX_BYTES && !number.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return true;
    }
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok());
    number.is_some_and(f64::is_finite)
}

/// What is wrong with a string, its quotes included.
fn unfit_text(string: &[u8]) -> Option<Problem> {
    escapes(string).find_map(|(_, _, problem)| problem)
}

/// The `\u` escapes of JSON text: from where to where, and what is wrong with it. A whole pair is one.
fn escapes(json: &[u8]) -> impl Iterator<Item = (usize, usize, Option<Problem>)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + json.get(at..)?.iter().position(|&byte| byte == b'\\')?;
            let Some(unit) = unit_at(json, start) else {
                at = start + 2;
                continue;
            };
            let is_pair = (0xd800..0xdc00).contains(&unit)
                && unit_at(json, start + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low));
            at = start + if is_pair { 12 } else { 6 };
            let problem = match unit {
                0 => Some(Problem::Nul),
                0xd800..0xe000 if !is_pair => Some(Problem::HalfPair),
                _ => None,
            };
            return Some((start, at, problem));
        }
    })
}

/// The code unit of a `\u` escape that stands here.
fn unit_at(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

/// JSON text in which U+FFFD stands for what no store keeps in text: U+0000 and half surrogate pairs.
pub fn mend(json: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut kept = 0;
    for (start, end, problem) in escapes(json.as_bytes()) {
        if problem.is_some() {
            mended.push_str(&json[kept..start]);
            mended.push_str("\\ufffd");
            kept = end;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    mended.push_str(&json[kept..]);
    Cow::Owned(mended)
}

/// Text in which U+FFFD stands for U+0000.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// One step from the whole to a place in it.
enum Step<'a> {
    Item(usize),
    /// An object whose next string is a key, or the key that was read last.
    Member(Option<&'a [u8]>),
}

/// The path to what begins at `end`.
fn path_to(json: &[u8], end: usize, root: &str) -> String {
    let (mut at, mut steps) = (0, Vec::new());
    while at < end {
        let start = at;
        at += 1;
        match json[start] {
            b'"' => {
                at = string_end(json, start);
                if let Some(Step::Member(key @ None)) = steps.last_mut() {
                    *key = Some(&json[start..at]);
                }
            }
            b'[' => steps.push(Step::Item(0)),
            b'{' => steps.push(Step::Member(None)),
            b']' | b'}' => drop(steps.pop()),
            b',' => match steps.last_mut() {
                Some(Step::Item(number)) => *number += 1,
                Some(Step::Member(key)) => *key = None,
                None => {}
            },
            _ => {}
        }
    }
    let is_key = matches!(steps.last(), Some(Step::Member(None)));
    let mut path = root.to_owned();
    for step in &steps {
        match step {
            Step::Item(number) => path.push_str(&format!("[{number}]")),
            Step::Member(Some(key)) => push_key(&mut path, key),
            Step::Member(None) => {}
        }
    }
    if let Some((cut, _)) = path.char_indices().nth(PATH_MAX_CHARS) {
        path.truncate(cut);
        path.push('…');
    }
    match (is_key, path.is_empty()) {
        (true, true) => "a key".to_owned(),
        (true, false) => format!("a key of {path}"),
        (false, _) => path,
    }
}

/// `.name`, or `["two words"]`. `key` is JSON, its quotes included.
fn push_key(path: &mut String, key: &[u8]) {
    let text = String::from_utf8_lossy(key);
    let name = text.trim_matches('"');
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (is_plain, path.is_empty()) {
        (true, true) => path.push_str(name),
        (true, false) => path.push_str(&format!(".{name}")),
        (false, _) => path.push_str(&format!("[{}]", mend(&text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> String {
        check(json.as_bytes(), "result").map_or_else(|unfit| unfit.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn what_cannot_be_kept_is_told_with_its_place() {
        for (json, place, problem) in [
            (r#"{"a":[1,{"b c":"x\ud83d"}]}"#, r#"result.a[1]["b c"]"#, Problem::HalfPair),
            (r#"["\udE00\uD83D"]"#, "result[0]", Problem::HalfPair),
            (r#"["\ud83d\ud83d\ude00"]"#, "result[0]", Problem::HalfPair),
            (r#"{"a":{"x\u0000":1}}"#, "a key of result.a", Problem::Nul),
            (r#"{"x\u0000":1}"#, "a key of result", Problem::Nul),
            (r#""\\\u0000""#, "result", Problem::Nul),
            (r#"{"a":"\"{[,","b":[0,1e309]}"#, "result.b[1]", Problem::TooLarge),
            ("-1E+400", "result", Problem::TooLarge),
        ] {
            assert_eq!(told(json), format!("{place} {problem}"), "{json}");
        }
        let digits = format!("[1{}]", "0".repeat(309));
        assert_eq!(told(&digits), format!("result[0] {}", Problem::TooLarge));
    }

    #[test]
    fn what_can_be_kept_is_fine() {
        for json in [
            r#""\\ud83d""#,
            r#""\\\\u0000 \ud83d\ude00 \n""#,
            r#"{"a":1e308,"b":-1.7976931348623157E+308,"c":1e-999}"#,
            "1.7976931348623157e308",
            "null",
            "",
            "\"",
            "\"\\",
        ] {
            assert_eq!(told(json), "fine", "{json}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(told(&nested(JSON_DEPTH_MAX)), "fine");
        let deep = told(&nested(JSON_DEPTH_MAX + 1));
        assert!(
            deep.starts_with("result[0][0]") && deep.contains("… is nested more than 512 deep"),
            "{deep}"
        );
        assert_eq!(check(br#"{"value":{"k":"\u0000"}}"#, "").unwrap_err().path, "value.k");
        assert_eq!(check(br#"{"\u0000":1}"#, "").unwrap_err().path, "a key");
        assert_eq!(check_shape(br#"["\u0000",1e999]"#, "params").unwrap_err().path, "params[1]");
    }

    #[test]
    fn only_what_no_store_keeps_is_mended() {
        assert_eq!(mend(r#"["a\ud800b","\uDFFF\u0000"]"#), r#"["a\ufffdb","\ufffd\ufffd"]"#);
        assert_eq!(mend(r#""\\\ud800""#), r#""\\\ufffd""#);
        for json in
            [r#""\\ud800""#, r#""\u0001 \n \\""#, r#""\ud7ff""#, r#""ä\\\\ud812""#, r#""\ud83d\ude00""#, "1"]
        {
            assert_eq!(mend(json), json);
        }
        assert_eq!((clean("a\0b"), clean("ab")), ("a\u{fffd}b".into(), "ab".into()));
    }
}
