//! JSON as a careful reader sees it, to tell whether two texts are the same value.
//!
//! An integer is the same only digit for digit; a number with a point or an exponent when it is the same double, its
//! sign included. Keys have no order, and the last of those that are alike counts. Half surrogate pairs are kept.

use std::collections::BTreeMap;

/// True when `got` says what `given` says. False when one of them is not JSON.
pub fn is_same_value(given: &str, got: &str) -> bool {
    match (parse(given), parse(got)) {
        (Some(given), Some(got)) => given.is_same(&got),
        _ => false,
    }
}

/// True when a text is JSON.
pub fn is_json(text: &str) -> bool {
    parse(text).is_some()
}

/// A value. Text is UTF-16, because JSON escapes can say what no `str` holds.
#[derive(Debug, PartialEq)]
enum ComparedJson {
    Word(&'static str),
    Number(String),
    Text(Vec<u16>),
    List(Vec<ComparedJson>),
    Object(BTreeMap<Vec<u16>, ComparedJson>),
}

/// Reads a text; none when it is not JSON.
fn parse(text: &str) -> Option<ComparedJson> {
    let mut reader = ComparedReader { rest: text };
    let value = reader.value()?;
    reader.blank();
    reader.rest.is_empty().then_some(value)
}

impl ComparedJson {
    /// True when `other` says the same.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => is_same_number(one, other),
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_same(other))
            }
            (Self::Object(one), Self::Object(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(other)
                        .all(|((key, one), (name, other))| key == name && one.is_same(other))
            }
            (Self::Word(_) | Self::Number(_) | Self::Text(_) | Self::List(_) | Self::Object(_), _) => {
                self == other
            }
        }
    }
}

fn is_same_number(given: &str, got: &str) -> bool {
    if given.contains(['.', 'e', 'E']) {
        let double = |text: &str| text.parse().map(f64::to_bits).ok();
        return double(given) == double(got);
    }
    exact(given) == exact(got)
}

/// Sign, digits without zeros around them, and the power of ten of the last digit.
fn exact(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let stripped = digits.trim_start_matches('0').trim_end_matches('0');
    if stripped.is_empty() {
        return (false, String::new(), 0);
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let power = exponent.trim_start_matches('+').parse::<i64>().unwrap_or(i64::MAX / 2);
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX / 4);
    let power = power - length(fraction.len()) + length(zeros);
    (whole.starts_with('-'), stripped.to_owned(), power)
}

struct ComparedReader<'a> {
    rest: &'a str,
}

impl<'a> ComparedReader<'a> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn takes(&mut self, token: &str) -> bool {
        self.blank();
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    fn value(&mut self) -> Option<ComparedJson> {
        for word in ["null", "true", "false"] {
            if self.takes(word) {
                return Some(ComparedJson::Word(word));
            }
        }
        match self.rest.chars().next()? {
            '"' => self.text().map(ComparedJson::Text),
            '[' => self.list(),
            '{' => self.object(),
            _ => self.number(),
        }
    }

    fn list(&mut self) -> Option<ComparedJson> {
        let mut items = Vec::new();
        self.takes("[");
        if self.takes("]") {
            return Some(ComparedJson::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.takes("]") {
                return Some(ComparedJson::List(items));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn object(&mut self) -> Option<ComparedJson> {
        let mut entries = BTreeMap::new();
        self.takes("{");
        if self.takes("}") {
            return Some(ComparedJson::Object(entries));
        }
        loop {
            self.blank();
            let key = self.text()?;
            self.takes(":").then_some(())?;
            entries.insert(key, self.value()?);
            if self.takes("}") {
                return Some(ComparedJson::Object(entries));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn number(&mut self) -> Option<ComparedJson> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | 'e' | 'E'));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        // Whoever is strict about numbers knows what is one.
        serde_json::from_str::<&serde_json::value::RawValue>(number).ok()?;
        self.rest = rest;
        Some(ComparedJson::Number(number.to_owned()))
    }

    fn text(&mut self) -> Option<Vec<u16>> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut units = Vec::new();
        loop {
            let letter = self.next()?;
            match letter {
                '"' => return Some(units),
                '\0'..='\u{1f}' => return None,
                '\\' => {
                    let escaped = self.next()?;
                    match escaped {
                        'u' => {
                            let (digits, rest) = self.rest.split_at_checked(4)?;
                            units.push(u16::from_str_radix(digits, 16).ok()?);
                            self.rest = rest;
                        }
                        '"' | '\\' | '/' => units.push(u16::try_from(u32::from(escaped)).ok()?),
                        'b' => units.push(8),
                        'f' => units.push(12),
                        'n' => units.push(10),
                        'r' => units.push(13),
                        't' => units.push(9),
                        _ => return None,
                    }
                }
                letter => units.extend(letter.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_tells_what_is_the_same() {
        let same = |one: &str, other: &str| is_same_value(one, other);
        for (one, other) in [
            ("1e22", "1e+22"),
            ("1e22", "10000000000000000000000"),
            ("10000000000000000000000", "1e+22"),
            ("0.1", "0.10"),
            ("-0", "0"),
            ("\"\\ud83d\\ude00\"", "\"\u{1f600}\""),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{ "b":2, "a":3 }"#),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("9223372036854775808", "9223372036854776000"),
            ("18446744073709551616", "1.8446744073709552e19"),
            ("-0.0", "0.0"),
            ("0.1", "0.10000000000000002"),
            ("1", "\"1\""),
            ("\"\\ud83d\"", "\"\u{fffd}\""),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
        for text in ["", "[1,]", "{1:2}", "nul", "01", "\"a\nb\"", "\u{feff}1", "1 2", "NaN", "'a'"] {
            assert!(!is_json(text), "{text}");
        }
    }
}
