//! The bounds of user data: what a worker, a database or a reader could choke on is refused where it comes in.

use std::ops::Range;

use super::path::path_to;
use super::tokens::{Token, tokens};

/// How deep arrays and objects may lie in each other. Parsers that recurse, those of databases among them, stop
/// somewhere above.
pub const DEPTH_MAX: usize = 512;
/// The largest exponent of a number, either way. No double has one above 308, and a database that writes numbers
/// out turns a few characters into as many digits.
pub const EXPONENT_MAX: usize = 400;
/// How many digits a number may have: where Python, too, stops reading.
pub const DIGITS_MAX: usize = 4300;

/// Why a value is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Nested too deep.
    #[error("is nested more than {DEPTH_MAX} deep; make it flatter, or send that part as a string")]
    Depth,
    /// A number with a huge exponent.
    #[error("is a number with an exponent beyond {EXPONENT_MAX}; send it as a string")]
    Exponent,
    /// A number that goes on and on.
    #[error("is a number of more than {DIGITS_MAX} digits; send it as a string")]
    Digits,
    /// U+0000.
    #[error("holds the character U+0000, which cannot be stored; leave it out, or send the bytes as base64")]
    Zero,
    /// Half of a surrogate pair, which is no character.
    #[error(
        "holds half of a surrogate pair, as text has that was cut within a character; cut it between characters"
    )]
    Surrogate,
}

/// A value that is not taken: where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// From the value's root, such as `.items[3].price`; empty for the value itself.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

impl Unfit {
    /// What is said of it, when the whole value goes by this name.
    pub fn of(&self, name: &str) -> String {
        let path = if name.is_empty() { self.path.trim_start_matches('.') } else { &self.path };
        let colon = if name.is_empty() && path.is_empty() { "" } else { ": " };
        format!("{name}{path}{colon}{}", self.reason)
    }
}

/// Holds JSON text to the bounds. One pass over its bytes; the path is looked for only when it is needed.
///
/// # Errors
/// The first thing that is out of bounds.
pub fn check(json: &str) -> Result<(), Unfit> {
    let mut depth = 0_usize;
    for (token, place) in tokens(json) {
        let reason = match token {
            Token::Open(_) => {
                depth += 1;
                (depth > DEPTH_MAX).then_some(Reason::Depth)
            }
            Token::Close => {
                depth = depth.saturating_sub(1);
                None
            }
            Token::String => string(text(json, &place)),
            Token::Number => number(text(json, &place)),
            Token::Comma | Token::Colon => None,
        };
        if let Some(reason) = reason {
            return Err(Unfit { path: path_to(json, place.start), reason });
        }
    }
    Ok(())
}

fn text<'a>(json: &'a str, place: &Range<usize>) -> &'a [u8] {
    json.as_bytes().get(place.clone()).unwrap_or_default()
}

/// What is wrong with a string, quotes included.
fn string(literal: &[u8]) -> Option<Reason> {
    let mut rest = literal;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = rest.get(at..).unwrap_or_default();
        let length = match Escape::at(rest) {
            Escape::Short => 2,
            Escape::Unit | Escape::Invalid => 6,
            Escape::Pair => 12,
            Escape::Zero => return Some(Reason::Zero),
            Escape::Half => return Some(Reason::Surrogate),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    None
}

/// What a backslash begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Two characters.
    Short,
    /// `\uXXXX`: a character.
    Unit,
    /// Two of these: a pair of surrogates.
    Pair,
    /// `\u0000`
    Zero,
    /// Half of a pair.
    Half,
    /// `\u` and no number; serde refuses it.
    Invalid,
}

impl Escape {
    /// The escape that begins here, with its backslash.
    pub(super) fn at(text: &[u8]) -> Self {
        if text.get(1) != Some(&b'u') {
            return Self::Short;
        }
        match unit(text) {
            None => Self::Invalid,
            Some(0) => Self::Zero,
            Some(0xD800..=0xDBFF) => match text.get(6..).and_then(unit) {
                Some(0xDC00..=0xDFFF) => Self::Pair,
                Some(_) | None => Self::Half,
            },
            Some(0xDC00..=0xDFFF) => Self::Half,
            Some(_) => Self::Unit,
        }
    }
}

/// The number of a `\uXXXX`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0_u16, |number, digit| {
        let digit = u16::try_from(char::from(*digit).to_digit(16)?).ok()?;
        Some(number << 4 | digit)
    })
}

fn number(literal: &[u8]) -> Option<Reason> {
    let exponent = literal.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = literal.split_at(exponent.unwrap_or(literal.len()));
    if mantissa.len() > DIGITS_MAX
        && mantissa.iter().filter(|byte| byte.is_ascii_digit()).count() > DIGITS_MAX
    {
        return Some(Reason::Digits);
    }
    let exponent = exponent.iter().filter(|byte| byte.is_ascii_digit()).try_fold(0_usize, |number, digit| {
        let number = number * 10 + usize::from(digit - b'0');
        (number <= EXPONENT_MAX).then_some(number)
    });
    exponent.is_none().then_some(Reason::Exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        check(json).map_or_else(|unfit| unfit.of("parameters"), |()| "fits".to_owned())
    }

    #[test]
    fn what_is_out_of_bounds_is_named_with_its_path() {
        let full = |json: &str| check(json).unwrap_err();
        assert_eq!(full(r#"{"items":[1,2,{"a":0},{"price":1e401}]}"#).path, ".items[3].price");
        assert_eq!(full(r#"{"items":[1,2,{"a":0},{"price":1e401}]}"#).reason, Reason::Exponent);
        assert_eq!(full(r#"["a","\u0000"]"#), Unfit { path: "[1]".into(), reason: Reason::Zero });
        assert_eq!(
            full(r#"{"a b":{"c":"x\ud83d"}}"#),
            Unfit { path: "[\"a b\"].c".into(), reason: Reason::Surrogate }
        );
        assert_eq!(full(r#""\udc00""#), Unfit { path: String::new(), reason: Reason::Surrogate });
        assert_eq!(full(r#"{"a":{"\ud83d":1}}"#), Unfit { path: ".a".into(), reason: Reason::Surrogate });
        assert_eq!(
            said("-1E-401"),
            "parameters: is a number with an exponent beyond 400; send it as a string"
        );
        let in_array = check("[1e1000000]").unwrap_err();
        assert_eq!(in_array.of("").split(':').next(), Some("[0]"));
    }

    #[test]
    fn what_is_within_bounds_fits() {
        for json in [
            "1e400",
            "-0.0",
            "1E+0000400",
            "\"\\ud83d\\ude00 \\\\u0000 \\\"\\\\\"",
            "null",
            "",
            "{}",
            "[\"1e9999\"]",
            r#"{"1e9999":[true,false,null,12345678901234567890123]}"#,
        ] {
            assert_eq!(said(json), "fits", "{json}");
        }
        let digits = |count| "7".repeat(count);
        assert_eq!(said(&digits(DIGITS_MAX)), "fits");
        assert_eq!(check(&digits(DIGITS_MAX + 1)).unwrap_err().reason, Reason::Digits);
    }

    #[test]
    fn depth_is_counted_without_recursion() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(said(&nested(DEPTH_MAX)), "fits");
        let unfit = check(&nested(DEPTH_MAX + 1)).unwrap_err();
        assert_eq!(unfit.reason, Reason::Depth);
        assert!(unfit.path.starts_with("[0][0]") && unfit.path.len() < 250, "{}", unfit.path);
        assert_eq!(check(&nested(5_000_000)).unwrap_err().reason, Reason::Depth);
        let objects = format!("{}1{}", "{\"a\":".repeat(600), "}".repeat(600));
        assert!(said(&objects).starts_with("parameters.a.a."));
        assert_eq!(said(&format!("[{}[]]", "[],".repeat(2000))), "fits");
    }

    #[test]
    fn text_that_is_no_json_makes_nothing_panic() {
        for json in
            ["\"\\", "\"\\u", "\"\\u00", "\"\\ud83d\\", "}}]", "-", "1e", "\"", "{\"a", "\u{e9}\\u0000"]
        {
            let _ = check(json);
        }
    }
}
