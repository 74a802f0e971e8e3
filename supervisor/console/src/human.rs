//! Times, sizes and tables as people read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use muster_core::execution::Status;

/// A duration in the unit that fits: `391 us`, `12 ms`, `1.25 s`, `3 m 20 s`, `2 h 05 m`, `3 d 4 h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time < Duration::from_millis(1) && !time.is_zero() => format!("{} us", time.as_micros()),
        0 => format!("{} ms", time.as_millis()),
        1..=59 => format!("{:.2} s", time.as_secs_f64()),
        60..=3_599 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{} h {:02} m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A duration of so many seconds, which may be a fraction.
pub(crate) fn seconds(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A duration of so many milliseconds.
pub(crate) fn milliseconds(ms: i64) -> String {
    duration(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// How long ago it was.
pub(crate) fn ago(at: Timestamp) -> String {
    let past = Timestamp::now().duration_since(at);
    format!("{} ago", duration(Duration::try_from(past).unwrap_or_default()))
}

/// Local date and time to the millisecond.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// Local time of day to the millisecond.
pub(crate) fn clock(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// A table with aligned columns, two spaces between; the last column is as long as it likes.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|&title| title.to_owned()).collect();
    let lines = || std::iter::once(&header).chain(rows);
    let width = |column: usize| {
        lines().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for row in lines() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The first line of a text, cut after `max` characters.
pub(crate) fn first_line(text: &str, max: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The ANSI colour of a status, for terminals.
pub(crate) fn colour(status: Status) -> &'static str {
    match status {
        Status::Success => "\x1b[32m",
        Status::Failed | Status::Timeout => "\x1b[31m",
        Status::Cancelled => "\x1b[33m",
        Status::Running => "\x1b[36m",
        Status::Pending => "\x1b[2m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_unit_that_fits() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.25 s"),
            (200_000, "3 m 20 s"),
            (7_500_000, "2 h 05 m"),
            (277_200_000, "3 d 5 h"),
        ] {
            assert_eq!(milliseconds(ms), text);
        }
        assert_eq!(duration(Duration::from_nanos(391_600)), "391 us");
    }

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_spaces() {
        let rows =
            vec![vec!["a".into(), "long cell".into(), "x".into()], vec!["bcd".into(), "é".into(), "".into()]];
        assert_eq!(table(&["ID", "NAME", "Z"], &rows), "ID   NAME       Z\na    long cell  x\nbcd  é\n");
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        assert_eq!(first_line("ééé\nsecond", 2), "éé…");
        assert_eq!(first_line("short", 20), "short");
        assert_eq!(first_line("", 20), "");
    }
}
