//! When a value is what a store has kept of another.
//!
//! A store may write JSON in its own way: blanks, the order of keys, escapes, and numbers without an exponent. It keeps
//! every digit, and so no two numbers are taken for the same because the nearest double is.

use super::reader::ComparedJson;
use super::{ExactNumber, is_double, is_same};

/// True when `kept` says what `given` says, to the last digit. 1 and 1.0 differ; 1e22 may be kept with its zeros.
/// False when one of them is not JSON.
pub fn is_kept(given: &str, kept: &str) -> bool {
    match (ComparedJson::parse(given), ComparedJson::parse(kept)) {
        (Some(given), Some(kept)) => is_same(&given, &kept, is_kept_number),
        _ => false,
    }
}

fn is_kept_number(given: &str, kept: &str) -> bool {
    let is_of_one_kind = given.contains(['e', 'E']) || is_double(given) == is_double(kept);
    let is_of_one_sign = given.starts_with('-') == kept.starts_with('-');
    let exact = ExactNumber::read(given);
    given == kept || is_of_one_kind && is_of_one_sign && exact.is_some() && exact == ExactNumber::read(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_every_digit_and_its_kind() {
        for (given, kept) in [
            ("1e22", "10000000000000000000000"),
            ("1.5e-2", "0.015"),
            ("1e22", "1E+22"),
            ("1.50", "1.5"),
            ("12345678901234567890123", "12345678901234567890123"),
            (r#"{"b":[1, 2],"a":"\u0041"}"#, r#"{"a": "A", "b": [1,2]}"#),
            ("1e99999999999", "1e99999999999"),
        ] {
            assert!(is_kept(given, kept), "{given} {kept}");
        }
        for (given, kept) in [
            ("12345678901234567890124", "12345678901234567890123"),
            ("18446744073709551616", "18446744073709551617"),
            ("9007199254740993", "9007199254740992"),
            ("10000000000000000000000", "1e22"),
            ("0.1", "0.1000000000000000055511151231257827"),
            ("1", "1.0"),
            ("100", "1e2"),
            ("-0.0", "0.0"),
            ("1e99999999999", "1e99999999998"),
            (r#"[{"n":18446744073709551616}]"#, r#"[{"n":18446744073709551617}]"#),
            ("\"***\"", "\"x\""),
            ("[1", "[1"),
        ] {
            assert!(!is_kept(given, kept), "{given} {kept}");
        }
    }
}
