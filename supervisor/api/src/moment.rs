//! Moments as people and programs write them.

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::check::{BEYOND_TIME, is_beyond_time};

/// The moment a text names, in RFC 3339.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| match is_beyond_time(text) {
        true => format!("{text:?} {BEYOND_TIME}"),
        false => format!("{text:?} is no moment: write it as in 2026-05-01T06:30:00Z (RFC 3339)"),
    })
}

/// A moment of the past: one that a text names, or so long ago.
pub fn past_moment(text: &str) -> Result<Timestamp, String> {
    let Ok(seconds) = seconds(text) else {
        return moment(text).map_err(|_| {
            format!("{text:?} is no moment: write it as in 2026-05-01T06:30:00Z (RFC 3339), or how long ago, as in 90s, 15m, 12h, 30d or 8w")
        });
    };
    let ago = SignedDuration::try_from_secs_f64(seconds).ok();
    ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok())
        .ok_or_else(|| format!("{text:?} ago was before the first year there is"))
}

/// A time with its unit, in seconds.
pub fn seconds(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is no time: write 90s, 15m, 12h, 30d or 8w");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let factor = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    if number.is_finite() && number >= 0.0 { Ok(number * factor) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_also_said_by_how_long_ago_it_is() {
        let hour_ago = past_moment("1h").unwrap();
        let ago = Timestamp::now().duration_since(hour_ago).as_secs();
        assert!((3_599..=3_660).contains(&ago), "{ago}");
        assert_eq!(past_moment("2026-05-01T06:30:00Z"), moment("2026-05-01T06:30:00Z"));
        for text in ["", "h", "1", "-1h", "yesterday", "1e300w"] {
            assert!(past_moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_end_of_time_is_told_as_what_it_is() {
        for text in ["9999-12-31T23:59:59Z", "9999-12-31T00:00:00+01:00"] {
            assert!(moment(text).unwrap_err().contains("9999-12-30T22:00:00Z"), "{text}");
        }
        assert!(moment("9999-12-30T22:00:00Z").is_ok());
        assert!(moment("9999-12-32T00:00:00Z").unwrap_err().contains("RFC 3339"));
    }

    #[test]
    fn a_moment_has_an_offset() {
        let zulu = moment("2026-05-01T06:30:00Z").unwrap();
        assert_eq!(moment("2026-05-01T08:30:00+02:00").unwrap(), zulu);
        for text in ["", "yesterday", "2026-05-01", "2026-05-01T06:30:00", "1777617000"] {
            let refused = moment(text).unwrap_err();
            assert!(refused.contains("RFC 3339"), "{refused}");
        }
    }
}
