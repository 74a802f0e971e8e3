//! A worker's stderr, cut into lines.

use std::collections::VecDeque;

use muster_core::execution::Secrets;
use muster_core::process::tells_of_refused_memory;
use muster_protocol::limits::{CRASH_STDERR_LINES, LOG_MESSAGE_MAX_BYTES};

/// Cuts bytes into lines of lossy UTF-8 and remembers the last few for the message of a crash.
#[derive(Debug, Default)]
pub(super) struct StderrLines {
    partial: Vec<u8>,
    tail: VecDeque<String>,
    /// A line older than these that tells why a runtime gives up: what follows it may be long.
    told: Option<String>,
}

impl StderrLines {
    /// Takes bytes and gives the lines they complete. A line that is too long is cut where it cuts none of these
    /// secrets.
    pub(super) fn take(&mut self, bytes: &[u8], secrets: &Secrets) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                lines.extend(self.flush());
            } else if self.partial.len() >= LOG_MESSAGE_MAX_BYTES {
                let begun = secrets.begun_in(&self.partial).max(begun_character(&self.partial));
                let rest = self.partial.split_off(self.partial.len() - begun.min(self.partial.len() / 2));
                lines.extend(self.flush());
                self.partial = rest;
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
            let oldest = self.tail.pop_front();
            self.told = oldest.filter(|line| tells_of_refused_memory(line)).or_else(|| self.told.take());
        }
        self.tail.push_back(text.clone());
        Some(text)
    }

    /// Forgets the lines of an earlier run: they do not explain the crash of a later one.
    pub(super) fn forget_tail(&mut self) {
        self.tail.clear();
        self.told = None;
    }

    /// The last lines, oldest first, behind one that tells why.
    pub(super) fn tail(&self) -> Vec<String> {
        self.told.iter().chain(&self.tail).cloned().collect()
    }
}

/// How many bytes at the end belong to a character that goes on behind it.
fn begun_character(bytes: &[u8]) -> usize {
    match std::str::from_utf8(&bytes[bytes.len().saturating_sub(4)..]) {
        Err(error) if error.error_len().is_none() => bytes.len().min(4) - error.valid_up_to(),
        Ok(_) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let (mut lines, none) = (StderrLines::default(), Secrets::default());
        assert_eq!(lines.take(b"on", &none), Vec::<String>::new());
        assert_eq!(lines.take(b"e\r\ntwo\n\xffthr", &none), ["one", "two"]);
        assert_eq!(lines.flush().as_deref(), Some("\u{fffd}thr"));
        assert_eq!(lines.flush(), None);
        assert_eq!(lines.tail(), ["one", "two", "\u{fffd}thr"]);
    }

    #[test]
    fn a_line_that_tells_why_outlives_those_behind_it_but_not_its_run() {
        let (mut lines, none) = (StderrLines::default(), Secrets::default());
        lines.take(b"FATAL ERROR: JavaScript heap out of memory\n", &none);
        for frame in 0..100 {
            lines.take(format!("{frame}: 0xb78db3\n").as_bytes(), &none);
        }
        let tail = lines.tail();
        assert_eq!(tail.len(), CRASH_STDERR_LINES + 1);
        assert!(tail[0].starts_with("FATAL ERROR") && tail[1].starts_with("90: "), "{tail:?}");
        lines.forget_tail();
        assert_eq!(lines.tail(), [""; 0]);
    }

    #[test]
    fn a_line_without_end_does_not_grow_for_ever() {
        let mut lines = StderrLines::default();
        let got = lines.take(&vec![b'x'; 3 * LOG_MESSAGE_MAX_BYTES], &Secrets::default());
        assert_eq!(got.len(), 1);
        assert!(lines.partial.is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_secrets_and_characters() {
        let secrets = Secrets::of([("token", r#""hunter2-hunter2""#)]);
        for text in ["hunter2-hunter2", "\u{1f600}"] {
            for before in 1..text.len() {
                let mut lines = StderrLines::default();
                let padding = "x".repeat(LOG_MESSAGE_MAX_BYTES - before);
                let mut got = lines.take(format!("{padding}{}", "").as_bytes(), &secrets);
                got.extend(lines.take(&text.as_bytes()[..before], &secrets));
                got.extend(lines.take(&text.as_bytes()[before..], &secrets));
                got.extend(lines.flush());
                assert!(
                    got.iter().any(|line| line.contains(text)),
                    "{text} cut after {before}: {:?}",
                    got.last()
                );
            }
        }
    }
}
