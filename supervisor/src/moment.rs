//! Moments as people and programs write them.

use jiff::Timestamp;

/// The moment a text names, in RFC 3339.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("{text:?} is no moment: write it as in 2026-05-01T06:30:00Z (RFC 3339)"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
