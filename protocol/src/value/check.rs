//! The bounds of a value: what a worker, a database or a reader could choke on is refused where it is passed on.

use super::escapes::next_escape;
use super::path::path_to;
use super::tokens::{JsonToken, tokens};
use super::{InvalidValue, ValueProblem};
use crate::limits::{JSON_DEPTH_MAX, JSON_DIGITS_MAX, JSON_EXPONENT_MAX};

/// A number of no more characters than this and without an exponent fits into a double.
const PLAIN_NUMBER_MAX_BYTES: usize = 300;

/// What a worker passes on: numbers that a double holds, and text that stores keep. `root` is what the value as a
/// whole is called; with an empty one paths begin with the first key.
///
/// # Errors
/// The first place that cannot be kept.
pub fn check(json: &[u8], root: &str) -> Result<(), InvalidValue> {
    first(json, root, beyond_a_double, unfit_text)
}

/// [`check`] of numbers and depth alone: a worker may be given any text, and it is refused where it is passed on.
///
/// # Errors
/// The first place that this worker cannot hold.
pub fn check_shape(json: &[u8], root: &str) -> Result<(), InvalidValue> {
    first(json, root, beyond_a_double, |_| None)
}

/// What the supervisor takes and stores: any number that a database writes out in reasonable space, whether a double
/// holds it or not, and text that stores keep.
///
/// # Errors
/// The first place that is out of bounds.
pub fn check_stored(json: &[u8], root: &str) -> Result<(), InvalidValue> {
    first(json, root, endless_number, unfit_text)
}

/// One pass over the bytes; the path is looked for only when it is needed.
fn first(
    json: &[u8],
    root: &str,
    of_number: impl Fn(&[u8]) -> Option<ValueProblem>,
    of_text: impl Fn(&[u8]) -> Option<ValueProblem>,
) -> Result<(), InvalidValue> {
    let mut depth = 0_usize;
    for (token, place) in tokens(json) {
        let start = place.start;
        let problem = match token {
            JsonToken::Open(_) => {
                depth += 1;
                (depth > JSON_DEPTH_MAX).then_some(ValueProblem::TooDeep)
            }
            JsonToken::Close => {
                depth = depth.saturating_sub(1);
                None
            }
            JsonToken::String => of_text(json.get(place).unwrap_or_default()),
            JsonToken::Number => of_number(json.get(place).unwrap_or_default()),
            JsonToken::Comma | JsonToken::Colon => None,
        };
        if let Some(problem) = problem {
            return Err(InvalidValue { path: path_to(json, start, root), problem });
        }
    }
    Ok(())
}

/// What is wrong with a string, its quotes included.
fn unfit_text(string: &[u8]) -> Option<ValueProblem> {
    let mut at = 0;
    while let Some((_, end, problem)) = next_escape(string, at) {
        if problem.is_some() {
            return problem;
        }
        at = end;
    }
    None
}

fn beyond_a_double(number: &[u8]) -> Option<ValueProblem> {
    if number.len() <= PLAIN_NUMBER_MAX_BYTES && !number.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return None;
    }
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok());
    (!number.is_some_and(f64::is_finite)).then_some(ValueProblem::TooLarge)
}

fn endless_number(number: &[u8]) -> Option<ValueProblem> {
    let exponent = number.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = number.split_at(exponent.unwrap_or(number.len()));
    if mantissa.len() > JSON_DIGITS_MAX
        && mantissa.iter().filter(|byte| byte.is_ascii_digit()).count() > JSON_DIGITS_MAX
    {
        return Some(ValueProblem::Digits);
    }
    let exponent = exponent.iter().filter(|byte| byte.is_ascii_digit()).try_fold(0_usize, |number, digit| {
        let number = number * 10 + usize::from(digit - b'0');
        (number <= JSON_EXPONENT_MAX).then_some(number)
    });
    exponent.is_none().then_some(ValueProblem::Exponent)
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
            (r#"{"a":[1,{"b c":"x\ud83d"}]}"#, r#"result.a[1]["b c"]"#, ValueProblem::HalfPair),
            (r#"["\udE00\uD83D"]"#, "result[0]", ValueProblem::HalfPair),
            (r#"["\ud83d\ud83d\ude00"]"#, "result[0]", ValueProblem::HalfPair),
            (r#"{"a":{"x\u0000":1}}"#, "a key of result.a", ValueProblem::Nul),
            (r#"{"x\u0000":1}"#, "a key of result", ValueProblem::Nul),
            (r#""\\\u0000""#, "result", ValueProblem::Nul),
            (r#"{"a":"\"{[,","b":[0,1e309]}"#, "result.b[1]", ValueProblem::TooLarge),
            ("-1E+400", "result", ValueProblem::TooLarge),
        ] {
            assert_eq!(told(json), format!("{place} {problem}"), "{json}");
        }
        let digits = format!("[1{}]", "0".repeat(309));
        assert_eq!(told(&digits), format!("result[0] {}", ValueProblem::TooLarge));
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

    fn said(json: &str) -> String {
        check_stored(json.as_bytes(), "parameters")
            .map_or_else(|unfit| unfit.of_field(), |()| "fits".to_owned())
    }

    #[test]
    fn what_is_not_stored_is_named_with_its_path() {
        let full = |json: &str| check_stored(json.as_bytes(), "").unwrap_err();
        let unfit = |path: &str, problem| InvalidValue { path: path.to_owned(), problem };
        assert_eq!(full(r#"{"items":[1,2,{"a":0},{"price":1e401}]}"#).path, "items[3].price");
        assert_eq!(full(r#"{"items":[1,2,{"a":0},{"price":1e401}]}"#).problem, ValueProblem::Exponent);
        assert_eq!(full(r#"["a","\u0000"]"#), unfit("[1]", ValueProblem::Nul));
        assert_eq!(full(r#"{"a b":{"c":"x\ud83d"}}"#), unfit("[\"a b\"].c", ValueProblem::HalfPair));
        assert_eq!(full(r#""\udc00""#), unfit("", ValueProblem::HalfPair));
        assert_eq!(full(r#"{"a":{"\ud83d":1}}"#), unfit("a key of a", ValueProblem::HalfPair));
        assert_eq!(
            said("-1E-401"),
            "parameters: is a number with an exponent beyond 400; write it as a string"
        );
        let in_array = full("[1e1000000]");
        assert_eq!(in_array.of_field().split(':').next(), Some("[0]"));
    }

    #[test]
    fn what_is_stored_fits() {
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
        assert_eq!(said(&digits(JSON_DIGITS_MAX)), "fits");
        assert_eq!(
            check_stored(digits(JSON_DIGITS_MAX + 1).as_bytes(), "").unwrap_err().problem,
            ValueProblem::Digits
        );
    }

    #[test]
    fn depth_is_counted_without_recursion() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(said(&nested(JSON_DEPTH_MAX)), "fits");
        let unfit = check_stored(nested(JSON_DEPTH_MAX + 1).as_bytes(), "").unwrap_err();
        assert_eq!(unfit.problem, ValueProblem::TooDeep);
        assert!(unfit.path.starts_with("[0][0]") && unfit.path.len() < 250, "{}", unfit.path);
        assert_eq!(
            check_stored(nested(5_000_000).as_bytes(), "").unwrap_err().problem,
            ValueProblem::TooDeep
        );
        let objects = format!("{}1{}", "{\"a\":".repeat(600), "}".repeat(600));
        assert!(said(&objects).starts_with("parameters.a.a."));
        assert_eq!(said(&format!("[{}[]]", "[],".repeat(2000))), "fits");
    }

    #[test]
    fn text_that_is_no_json_makes_nothing_panic() {
        for json in
            ["\"\\", "\"\\u", "\"\\u00", "\"\\ud83d\\", "}}]", "-", "1e", "\"", "{\"a", "\u{e9}\\u0000"]
        {
            let _ = check_stored(json.as_bytes(), "");
        }
    }
}
