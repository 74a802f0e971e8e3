//! A worker's stderr, cut into lines.

use std::collections::VecDeque;

use muster_protocol::limits::{CRASH_STDERR_LINES, LOG_MESSAGE_MAX_BYTES};

/// Cuts bytes into lines of lossy UTF-8 and remembers the last few for the message of a crash.
#[derive(Debug, Default)]
pub(super) struct StderrLines {
    partial: Vec<u8>,
    tail: VecDeque<String>,
}

impl StderrLines {
    /// Takes bytes and gives the lines they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LOG_MESSAGE_MAX_BYTES {
                lines.extend(self.flush());
            }
        }
        lines
    }

    /// The line that has no end yet, when the run or the process is over.
    pub(super) fn flush(&mut self) -> Option<String> {
        if self.partial.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(&self.partial).trim_end_matches(['\n', '\r']).to_owned();
        self.partial.clear();
        if self.tail.len() == CRASH_STDERR_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(text.clone());
        Some(text)
    }

    /// Forgets the lines of an earlier run: they do not explain the crash of a later one.
    pub(super) fn forget_tail(&mut self) {
        self.tail.clear();
    }

    /// The last lines, oldest first.
    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let mut lines = StderrLines::default();
        assert_eq!(lines.take(b"on"), Vec::<String>::new());
        assert_eq!(lines.take(b"e\r\ntwo\n\xffthr"), ["one", "two"]);
        assert_eq!(lines.flush().as_deref(), Some("\u{fffd}thr"));
        assert_eq!(lines.flush(), None);
        assert_eq!(lines.tail(), ["one", "two", "\u{fffd}thr"]);
    }

    #[test]
    fn a_line_without_end_does_not_grow_for_ever() {
        let mut lines = StderrLines::default();
        let got = lines.take(&vec![b'x'; 3 * LOG_MESSAGE_MAX_BYTES]);
        assert_eq!(got.len(), 1);
        assert!(lines.partial.is_empty());
    }
}
