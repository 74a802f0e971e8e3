//! Numbers and times.

use std::time::Duration;

use super::{SettingKind, single};
use crate::source::Raw;

/// A whole number within bounds.
pub(crate) struct CountKind<T> {
    min: u64,
    max: u64,
    number: std::marker::PhantomData<T>,
}

impl<T> CountKind<T> {
    pub(crate) fn new(min: u64, max: u64) -> Self {
        Self { min, max, number: std::marker::PhantomData }
    }
}

impl<T: TryFrom<u64> + Copy + ToString> SettingKind for CountKind<T> {
    type Value = T;
    const PLACEHOLDER: &'static str = "N";

    fn parse(&self, raw: &Raw) -> Result<T, String> {
        let number = whole(single(raw)?)?;
        if number < self.min || number > self.max {
            return Err(format!("must be from {} to {}, not {number}", self.min, self.max));
        }
        T::try_from(number).map_err(|_| format!("is too large: {number}"))
    }

    fn show(&self, value: &T) -> toml::Value {
        toml::Value::Integer(value.to_string().parse().unwrap_or(i64::MAX))
    }
}

/// A whole number where 0 means "no limit".
pub(crate) struct LimitKind;

impl SettingKind for LimitKind {
    type Value = Option<u64>;
    const PLACEHOLDER: &'static str = "N";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        const MAX: u64 = 1 << 40;
        match whole(single(raw)?)? {
            0 => Ok(None),
            number if number <= MAX => Ok(Some(number)),
            number => Err(format!("must be at most {MAX}, not {number}")),
        }
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        toml::Value::Integer(value.and_then(|number| i64::try_from(number).ok()).unwrap_or(0))
    }
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("must be a whole number, not {text:?}"))
}

/// A time in seconds, fractions allowed.
pub(crate) struct SecondsKind {
    /// At least this; more than 0 when it is [`f64::MIN_POSITIVE`].
    pub(crate) min: f64,
    /// At most this.
    pub(crate) max: f64,
}

impl SecondsKind {
    pub(crate) fn from_zero(max: f64) -> Self {
        Self { min: 0.0, max }
    }

    pub(crate) fn above_zero(max: f64) -> Self {
        Self { min: 0.001, max }
    }
}

impl SettingKind for SecondsKind {
    type Value = Duration;
    const PLACEHOLDER: &'static str = "SECONDS";

    fn parse(&self, raw: &Raw) -> Result<Duration, String> {
        let text = single(raw)?;
        let seconds: f64 =
            text.parse().map_err(|_| format!("must be a number of seconds like 30 or 0.5, not {text:?}"))?;
        if !(self.min..=self.max).contains(&seconds) {
            return Err(format!("must be from {} to {} seconds, not {text}", self.min, self.max));
        }
        Ok(Duration::from_secs_f64(seconds))
    }

    fn show(&self, value: &Duration) -> toml::Value {
        if value.subsec_nanos() == 0 {
            toml::Value::Integer(i64::try_from(value.as_secs()).unwrap_or(i64::MAX))
        } else {
            toml::Value::Float(value.as_secs_f64())
        }
    }
}

/// A time in seconds where 0 means "never".
pub(crate) struct IntervalKind(pub(crate) SecondsKind);

impl SettingKind for IntervalKind {
    type Value = Option<Duration>;
    const PLACEHOLDER: &'static str = "SECONDS";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        Ok(Some(self.0.parse(raw)?).filter(|time| !time.is_zero()))
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        self.0.show(&value.unwrap_or_default())
    }
}

/// A time in days, fractions allowed, where 0 means "for ever".
pub(crate) struct DaysKind;

/// How long a day is.
const DAY_SECONDS: f64 = 86_400.0;

impl SettingKind for DaysKind {
    type Value = Option<Duration>;
    const PLACEHOLDER: &'static str = "DAYS";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        const MAX: f64 = 36_500.0;
        let text = single(raw)?;
        let days = text.parse().ok().filter(|days| (0.0..=MAX).contains(days));
        let days: f64 =
            days.ok_or_else(|| format!("must be a number of days from 0 to {MAX}, not {text:?}"))?;
        Ok(Some(Duration::from_secs_f64(days * DAY_SECONDS)).filter(|time| !time.is_zero()))
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        let days = value.unwrap_or_default().as_secs_f64() / DAY_SECONDS;
        if days.fract() == 0.0 { toml::Value::Integer(days as i64) } else { toml::Value::Float(days) }
    }
}

/// A part of a whole, from 0 to 1.
pub(crate) struct RatioKind;

impl SettingKind for RatioKind {
    type Value = f64;
    const PLACEHOLDER: &'static str = "RATIO";

    fn parse(&self, raw: &Raw) -> Result<f64, String> {
        let text = single(raw)?;
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio
            .ok_or_else(|| format!("must be a number from 0 to 1, such as 0.1 for every tenth, not {text:?}"))
    }

    fn show(&self, value: &f64) -> toml::Value {
        if value.fract() == 0.0 { toml::Value::Integer(*value as i64) } else { toml::Value::Float(*value) }
    }
}

/// A time in whole milliseconds.
pub(crate) struct MillisKind {
    /// At most this.
    pub(crate) max: u64,
}

impl SettingKind for MillisKind {
    type Value = Duration;
    const PLACEHOLDER: &'static str = "MILLISECONDS";

    fn parse(&self, raw: &Raw) -> Result<Duration, String> {
        let number = whole(single(raw)?)?;
        if number > self.max {
            return Err(format!("must be at most {} milliseconds, not {number}", self.max));
        }
        Ok(Duration::from_millis(number))
    }

    fn show(&self, value: &Duration) -> toml::Value {
        toml::Value::Integer(i64::try_from(value.as_millis()).unwrap_or(i64::MAX))
    }
}
