//! Answers of a size that an assistant can take in.

use muster_api::LogPage;

/// The longest answer, in bytes: some ten thousand tokens, which assistants take and larger ones they refuse.
const ANSWER_MAX_BYTES: usize = 40_000;
/// Left free in a page of a log for what stands around its lines.
const AROUND_LINES_BYTES: usize = 200;

/// The text, or its beginning with a sentence that says how much is missing and what to do.
pub(super) fn cut(mut text: String, advice: &str) -> String {
    let whole = text.len();
    if whole <= ANSWER_MAX_BYTES {
        return text;
    }
    text.truncate(text.floor_char_boundary(ANSWER_MAX_BYTES));
    let missing = whole - text.len();
    text.push_str(&format!("\n[cut: {missing} of {whole} bytes are missing here; {advice}]"));
    text
}

/// As many lines of the page as fit in an answer, at least one, and where the next page begins.
pub(super) fn fitting(page: LogPage) -> LogPage {
    let LogPage { mut logs, mut next_cursor } = page;
    let mut room = ANSWER_MAX_BYTES - AROUND_LINES_BYTES;
    let fits = |line: &_| {
        let size = serde_json::to_string(line).map_or(0, |text| text.len() + 1);
        let left = room.checked_sub(size);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let kept = logs.iter().map(fits).take_while(|fits| *fits).count().max(1);
    if kept < logs.len() {
        logs.truncate(kept);
        next_cursor = logs.last().map(|last| format!("{}-{}", last.attempt, last.sequence));
    }
    LogPage { logs, next_cursor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use muster_api::LogView;
    use muster_core::execution::LogStream;

    #[test]
    fn what_is_too_long_is_cut_between_letters_and_says_so() {
        assert_eq!(cut("{}".to_owned(), "narrow it"), "{}");
        let long = "ä".repeat(ANSWER_MAX_BYTES);
        let shown = cut(format!("x{long}"), "narrow it");
        assert!(shown.starts_with("xää") && shown.len() < ANSWER_MAX_BYTES + 200);
        assert!(shown.ends_with("ä\n[cut: 40002 of 80001 bytes are missing here; narrow it]"));
    }

    fn page(lengths: &[usize]) -> LogPage {
        let line = |(sequence, length): (u64, &usize)| LogView {
            attempt: 2,
            sequence,
            at: Timestamp::UNIX_EPOCH,
            level: "info".to_owned(),
            stream: LogStream::Stderr,
            logger: String::new(),
            message: "x".repeat(*length),
            fields: None,
        };
        LogPage { logs: (1..).zip(lengths).map(line).collect(), next_cursor: Some("2-99".to_owned()) }
    }

    #[test]
    fn a_page_of_a_log_ends_with_a_whole_line_and_says_where_the_next_begins() {
        let whole = fitting(page(&[10, 10]));
        assert_eq!((whole.logs.len(), whole.next_cursor.as_deref()), (2, Some("2-99")));
        let some = fitting(page(&[20_000, 15_000, 10_000, 10]));
        assert_eq!((some.logs.len(), some.next_cursor.as_deref()), (2, Some("2-2")));
        let large = fitting(page(&[100_000, 10]));
        assert_eq!(
            (large.logs.len(), large.next_cursor.as_deref()),
            (1, Some("2-1")),
            "it goes on behind it"
        );
        assert_eq!(fitting(page(&[])).logs.len(), 0);
    }
}
