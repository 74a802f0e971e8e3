//! How many may start in a period, as it is written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest period: 31 days.
const PERIOD_MAX: Duration = Duration::from_secs(31 * 86_400);
const COUNT_MAX: u32 = 1_000_000;

/// So many starts in a period: `100/60s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LimitRate {
    /// How many may start.
    pub count: u32,
    /// In how long.
    pub period: Duration,
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "rate: must be COUNT/PERIOD, as in 100/60s, 5/m or 10/500ms: 1 to 1000000 in at most 31 days, not {0:?}"
)]
pub struct InvalidRate(String);

impl FromStr for LimitRate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = || InvalidRate(text.to_owned());
        let (count, period) = text.split_once('/').ok_or_else(invalid)?;
        let digits = period.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = period.split_at(digits);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(invalid()),
        };
        let number: u64 = if number.is_empty() { 1 } else { number.parse().map_err(|_| invalid())? };
        let period = Duration::from_millis(number.checked_mul(unit_ms).ok_or_else(invalid)?);
        let count: u32 = count.parse().map_err(|_| invalid())?;
        if count == 0 || count > COUNT_MAX || period.is_zero() || period > PERIOD_MAX {
            return Err(invalid());
        }
        Ok(Self { count, period })
    }
}

impl fmt::Display for LimitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period_ms = self.period.as_millis();
        match period_ms % 1_000 {
            0 => write!(f, "{}/{}s", self.count, period_ms / 1_000),
            _ => write!(f, "{}/{period_ms}ms", self.count),
        }
    }
}

impl TryFrom<String> for LimitRate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, InvalidRate> {
        text.parse()
    }
}

impl From<LimitRate> for String {
    fn from(rate: LimitRate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written() {
        let read = |text: &str| text.parse::<LimitRate>().map(|rate| rate.to_string());
        for (text, same) in
            [("100/60s", "100/60s"), ("5/m", "5/60s"), ("1/2h", "1/7200s"), ("10/500ms", "10/500ms")]
        {
            assert_eq!(read(text).unwrap(), same);
        }
        for text in
            ["", "5", "5/", "0/s", "-1/s", "5/0s", "5/60", "5/32d", "5/s s", "x/s", "5/99999999999999999999s"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
