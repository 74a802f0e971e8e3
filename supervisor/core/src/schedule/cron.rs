//! A line of cron with five fields, as Vixie's has it.

use std::fmt;
use std::str::FromStr;

/// The minutes that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// A field that begins with `*` restricts nothing by itself: then both fields of days must match, else either.
    either_day: bool,
    /// The hour is `*` or a step of it: the line follows the running clock, not the one on the wall.
    pub(super) follows_clock: bool,
}

/// A line that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCron(String);

/// One field of a line.
struct CronField {
    name: &'static str,
    first: u32,
    last: u32,
    /// The names of its values, from the first on.
    names: &'static [&'static str],
}

const MINUTES: CronField = CronField { name: "minute", first: 0, last: 59, names: &[] };
const HOURS: CronField = CronField { name: "hour", first: 0, last: 23, names: &[] };
const DAYS: CronField = CronField { name: "day of month", first: 1, last: 31, names: &[] };
const MONTHS: CronField = CronField {
    name: "month",
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// Both 0 and 7 are Sunday.
const WEEKDAYS: CronField = CronField {
    name: "day of week",
    first: 0,
    last: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// What stands for a whole line.
const WORDS: [(&str, &str); 8] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@every_minute", "* * * * *"),
];

impl FromStr for Cron {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        let text = text.trim();
        let line = if text.starts_with('@') {
            let word = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            word.map(|(_, line)| *line).ok_or_else(|| {
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                InvalidCron(format!("{text:?} is no word of cron: there are {}", words.join(", ")))
            })?
        } else {
            text
        };
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(InvalidCron(format!(
                "{text:?} has {} fields; a line of cron has five: minute, hour, day of month, month, day of week",
                fields.len()
            )));
        };
        let week = WEEKDAYS.read(weekdays)?;
        let cron = Self {
            text: text.to_owned(),
            minutes: MINUTES.read(minutes)?,
            hours: HOURS.read(hours)?,
            days: DAYS.read(days)?,
            months: MONTHS.read(months)?,
            weekdays: (week | (week >> 7)) & 0x7f,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
            follows_clock: hours.starts_with('*'),
        };
        if cron.ever_fires() {
            Ok(cron)
        } else {
            Err(InvalidCron(format!("{text:?} never comes: no month has such a day")))
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cron {
    /// Whether the line names this day. `weekday` counts from Sunday.
    pub(super) fn has_day(&self, month: i8, day: i8, weekday: i8) -> bool {
        let by_month = has(self.days, day);
        let by_week = has(self.weekdays, weekday);
        let day = if self.either_day { by_month || by_week } else { by_month && by_week };
        has(self.months, month) && day
    }

    /// Whether the line names this month.
    pub(super) fn has_month(&self, month: i8) -> bool {
        has(self.months, month)
    }

    pub(super) fn has_hour(&self, hour: i8) -> bool {
        has(self.hours, hour)
    }

    pub(super) fn has_minute(&self, minute: i8) -> bool {
        has(self.minutes, minute)
    }

    /// Every date has every weekday in some year, so only days that no month has never come.
    fn ever_fires(&self) -> bool {
        const LENGTHS: [i8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut months = (1..=12_i8).zip(LENGTHS).filter(|(month, _)| has(self.months, *month));
        self.either_day || months.any(|(_, length)| (1..=length).any(|day| has(self.days, day)))
    }
}

fn has(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| set >> value & 1 == 1)
}

impl CronField {
    /// The values that a text names, as a set of bits.
    fn read(&self, text: &str) -> Result<u64, InvalidCron> {
        let mut set = 0;
        for part in text.split(',') {
            set |= self.read_part(part)?;
        }
        Ok(set)
    }

    fn read_part(&self, part: &str) -> Result<u64, InvalidCron> {
        let wrong = |reason: String| InvalidCron(format!("the {} {part:?} {reason}", self.name));
        let (range, step) = match part.split_once('/') {
            None => (part, 1),
            Some((range, step)) => {
                let step = step.parse().ok().filter(|step| *step > 0).ok_or_else(|| {
                    wrong("has a step that is no whole number above 0: write it like */5".to_owned())
                })?;
                (range, step)
            }
        };
        let (first, last) = match range.split_once('-') {
            None if range == "*" => (self.first, self.last),
            None => {
                let value = self.value(range)?;
                if part.contains('/') {
                    let better = format!("{range}-{}/{step}", self.last);
                    return Err(wrong(format!("has a step without a range: write {better}")));
                }
                (value, value)
            }
            Some((first, last)) => (self.value(first)?, self.value(last)?),
        };
        if first > last {
            return Err(wrong("ends before it begins: write two ranges with a comma between".to_owned()));
        }
        Ok((first..=last).step_by(step).fold(0, |set, value| set | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, InvalidCron> {
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let named = || self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = number.or_else(|| Some(self.first + u32::try_from(named()?).ok()?));
        let value = value.filter(|value| (self.first..=self.last).contains(value));
        value.ok_or_else(|| {
            let names = match self.names {
                [first, .., last] => format!(", or a name from {first} to {last}"),
                [] | [_] => String::new(),
            };
            InvalidCron(format!(
                "the {} {text:?} must be a whole number from {} to {}{names}",
                self.name, self.first, self.last
            ))
        })
    }
}
