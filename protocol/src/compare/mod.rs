//! Whether two JSON texts say the same: the rule of the conformance kit, that of transcripts, and that of what is kept.
//!
//! All look at the texts themselves, because what most readers make of them forgets digits and half surrogate pairs.

mod alike;
mod kept;
mod number;
mod reader;

pub use alike::{is_alike, is_alike_text};
pub use kept::is_kept;
pub use number::ExactNumber;

use reader::ComparedJson;

/// True when `got` says what `given` says. An integer is the same only digit for digit; a number with a point or an
/// exponent when it is the same double, its sign included. False when one of them is not JSON.
pub fn is_same_value(given: &str, got: &str) -> bool {
    match (ComparedJson::parse(given), ComparedJson::parse(got)) {
        (Some(given), Some(got)) => is_same(&given, &got, is_same_number),
        _ => false,
    }
}

/// True when a text is JSON.
pub fn is_json(text: &str) -> bool {
    ComparedJson::parse(text).is_some()
}

/// Whether two values are the same, when two numbers are so by this rule.
fn is_same(given: &ComparedJson, got: &ComparedJson, is_number: fn(&str, &str) -> bool) -> bool {
    match (given, got) {
        (ComparedJson::Number(given), ComparedJson::Number(got)) => is_number(given, got),
        (ComparedJson::List(given), ComparedJson::List(got)) => {
            given.len() == got.len()
                && given.iter().zip(got).all(|(given, got)| is_same(given, got, is_number))
        }
        (ComparedJson::Object(given), ComparedJson::Object(got)) => {
            given.len() == got.len()
                && given
                    .iter()
                    .zip(got)
                    .all(|((key, given), (name, got))| key == name && is_same(given, got, is_number))
        }
        (
            ComparedJson::Word(_)
            | ComparedJson::Number(_)
            | ComparedJson::Text(_)
            | ComparedJson::List(_)
            | ComparedJson::Object(_),
            _,
        ) => given == got,
    }
}

fn is_same_number(given: &str, got: &str) -> bool {
    if is_double(given) {
        is_same_double(given, got)
    } else {
        ExactNumber::read(given) == ExactNumber::read(got)
    }
}

/// True when it is written with a point or an exponent.
fn is_double(number: &str) -> bool {
    number.contains(['.', 'e', 'E'])
}

fn is_same_double(one: &str, other: &str) -> bool {
    let bits = |text: &str| text.parse().map(f64::to_bits).ok();
    bits(one) == bits(other)
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
