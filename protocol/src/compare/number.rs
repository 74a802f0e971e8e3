//! Numbers as they are written, compared without a double between.

use std::cmp::Ordering;

/// A number: its sign, its digits without zeros at either end, and where the point stands before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactNumber {
    is_negative: bool,
    digits: Vec<u8>,
    /// The value is 0.digits times ten to this power.
    power: i64,
}

impl ExactNumber {
    /// Reads a number of JSON; `None` when its exponent is beyond all that is kept and it is not zero.
    pub fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (text, "0"),
        };
        let unsigned = mantissa.strip_prefix('-');
        let (whole, fraction) = {
            let mantissa = unsigned.unwrap_or(mantissa);
            mantissa.split_once('.').unwrap_or((mantissa, ""))
        };
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let first = all.iter().position(|digit| *digit != b'0').unwrap_or(all.len());
        let last = all.iter().rposition(|digit| *digit != b'0').map_or(first, |last| last + 1);
        let digits = all[first..last].to_vec();
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, power: 0 });
        }
        let exponent = exponent.parse::<i32>().ok()?;
        let power = i64::try_from(whole.len()).ok()? - i64::try_from(first).ok()? + i64::from(exponent);
        Some(Self { is_negative: unsigned.is_some(), digits, power })
    }

    /// True for 3, 3.0 and 3e2.
    pub fn is_whole(&self) -> bool {
        i64::try_from(self.digits.len()).is_ok_and(|digits| digits <= self.power) || self.digits.is_empty()
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // Without zeros at the end the longer of two that begin alike is the larger.
            (false, false) => self.power.cmp(&other.power).then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

impl Ord for ExactNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for ExactNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
