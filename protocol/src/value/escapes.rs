//! What a backslash begins in JSON text, and which of it is no text that a store keeps.

use super::ValueProblem;

/// What a backslash begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// Two characters.
    Short,
    /// `\uXXXX`: a character. Without a number it is no JSON, which is not ours to say.
    Unit,
    /// Two of these: a pair of surrogates.
    Pair,
    /// One of these, and no text.
    Unfit(ValueProblem),
}

/// The next escape at or behind `at`: where it begins, where it ends, and what is wrong with it.
pub(super) fn next_escape(json: &[u8], at: usize) -> Option<(usize, usize, Option<ValueProblem>)> {
    let rest = json.get(at..)?;
    let start = at + rest.iter().position(|byte| *byte == b'\\')?;
    let (length, problem) = match escape(json.get(start..)?) {
        Escape::Short => (2, None),
        Escape::Unit => (6, None),
        Escape::Pair => (12, None),
        Escape::Unfit(problem) => (6, Some(problem)),
    };
    Some((start, start + length, problem))
}

/// The escape that begins here, with its backslash.
fn escape(text: &[u8]) -> Escape {
    if text.get(1) != Some(&b'u') {
        return Escape::Short;
    }
    match unit(text) {
        Some(0) => Escape::Unfit(ValueProblem::Nul),
        Some(0xD800..=0xDBFF) => match text.get(6..).and_then(unit) {
            Some(0xDC00..=0xDFFF) => Escape::Pair,
            Some(_) | None => Escape::Unfit(ValueProblem::HalfPair),
        },
        Some(0xDC00..=0xDFFF) => Escape::Unfit(ValueProblem::HalfPair),
        Some(_) | None => Escape::Unit,
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
