//! A worker's stderr, cut into lines.

use std::collections::VecDeque;
use std::time::Duration;

use muster_core::execution::Secrets;
use muster_core::process::tells_of_refused_memory;
use muster_protocol::limits::{CRASH_STDERR_LINES, LOG_MESSAGE_MAX_BYTES};
use tokio::time::Instant;

/// Cuts bytes into lines of lossy UTF-8 and remembers the last few for the message of a crash.
///
/// A carriage return without a line feed takes the line back to its beginning, as on a terminal: what is written over
/// it is the next state of a progress bar. States are given as lines now and then, and the last one always.
#[derive(Debug, Default)]
pub(super) struct StderrLines {
    partial: Vec<u8>,
    /// The last byte was a carriage return: a line feed ends the line, anything else begins it anew.
    returned: bool,
    /// The line that is written over and over, if it is.
    bar: Option<ProgressBar>,
    tail: VecDeque<String>,
    /// A line older than these that tells why a runtime gives up: what follows it may be long.
    told: Option<String>,
}

/// A line that was begun anew at least once.
#[derive(Debug, Default)]
struct ProgressBar {
    /// The last state that was to be seen on a terminal and holds anything.
    state: String,
    /// The last state that was given, and when.
    shown: Option<(String, Instant)>,
    shown_count: u32,
}

/// How far apart the states of a bar are given: often while it is young, because it may be short.
const STATE_EVERY: Duration = Duration::from_secs(1);
/// The same for one that lasts: a whole day of it is a few thousand lines.
const STATE_EVERY_LATER: Duration = Duration::from_secs(15);
/// So many states are given before it counts as one that lasts.
const YOUNG_STATES: u32 = 20;

impl ProgressBar {
    /// The state, if it is new and one may be given again.
    fn due(&mut self, now: Instant) -> Option<String> {
        let every = if self.shown_count < YOUNG_STATES { STATE_EVERY } else { STATE_EVERY_LATER };
        let is_due = match &self.shown {
            Some((shown, at)) => *shown != self.state && now.duration_since(*at) >= every,
            None => true,
        };
        if !is_due || self.state.is_empty() {
            return None;
        }
        self.shown = Some((self.state.clone(), now));
        self.shown_count += 1;
        Some(self.state.clone())
    }

    /// The line that stands there at its end, unless it was given as a state.
    fn into_line(self, line: String) -> Option<String> {
        let last = if line.trim().is_empty() { self.state } else { line };
        (!last.is_empty() && self.shown.is_none_or(|(shown, _)| shown != last)).then_some(last)
    }
}

impl StderrLines {
    /// Takes bytes and gives the lines they complete. A line that is too long is cut where it cuts none of these
    /// secrets.
    pub(super) fn take(&mut self, bytes: &[u8], secrets: &Secrets, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n' || byte == b'\r') {
            if self.returned && piece != b"\n" {
                self.begin_anew();
            }
            self.returned = false;
            let (text, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (text, Some(*end)),
                Some(_) | None => (piece, None),
            };
            self.partial.extend_from_slice(text);
            match end {
                Some(b'\n') => lines.extend(self.end_line(true)),
                Some(_) => self.returned = true,
                None if self.partial.len() >= LOG_MESSAGE_MAX_BYTES => {
                    let begun = secrets.begun_in(&self.partial).max(begun_character(&self.partial));
                    let rest = self.partial.split_off(self.partial.len() - begun.min(self.partial.len() / 2));
                    lines.extend(self.end_line(true));
                    self.partial = rest;
                }
                None => {}
            }
        }
        lines.extend(self.current_state(secrets, now));
        lines
    }

    /// What stands in a bar's line right now, though nothing has ended it yet: many bars return first and write then.
    fn current_state(&mut self, secrets: &Secrets, now: Instant) -> Option<String> {
        let bar = self.bar.as_mut()?;
        let goes_on = begun_character(&self.partial) > 0 || secrets.begun_in(&self.partial) > 0;
        let text = lossy(&self.partial);
        if (self.returned || !goes_on) && !text.trim().is_empty() {
            bar.state = text;
        }
        bar.due(now)
    }

    /// What was written so far is written over.
    fn begin_anew(&mut self) {
        let text = lossy(&self.partial);
        self.partial.clear();
        let bar = self.bar.get_or_insert_default();
        if !text.trim().is_empty() {
            bar.state = text;
        }
    }

    /// The line that has no end yet, when the run or the process is over.
    pub(super) fn flush(&mut self) -> Option<String> {
        self.end_line(false)
    }

    /// Ends the line: an empty one is one only if something ended it.
    fn end_line(&mut self, is_ended: bool) -> Option<String> {
        self.returned = false;
        let bar = self.bar.take();
        if self.partial.is_empty() && bar.is_none() && !is_ended {
            return None;
        }
        let text = lossy(&self.partial);
        self.partial.clear();
        let text = match bar {
            Some(bar) => bar.into_line(text)?,
            None => text,
        };
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

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
        assert_eq!(lines.take(b"on", &none, Instant::now()), Vec::<String>::new());
        assert_eq!(lines.take(b"e\r\ntwo\n\xffthr", &none, Instant::now()), ["one", "two"]);
        assert_eq!(lines.flush().as_deref(), Some("\u{fffd}thr"));
        assert_eq!(lines.flush(), None);
        assert_eq!(lines.tail(), ["one", "two", "\u{fffd}thr"]);
    }

    #[test]
    fn a_line_that_tells_why_outlives_those_behind_it_but_not_its_run() {
        let (mut lines, none) = (StderrLines::default(), Secrets::default());
        lines.take(b"FATAL ERROR: JavaScript heap out of memory\n", &none, Instant::now());
        for frame in 0..100 {
            lines.take(format!("{frame}: 0xb78db3\n").as_bytes(), &none, Instant::now());
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
        let got = lines.take(&vec![b'x'; 3 * LOG_MESSAGE_MAX_BYTES], &Secrets::default(), Instant::now());
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
                let mut got = lines.take(format!("{padding}{}", "").as_bytes(), &secrets, Instant::now());
                got.extend(lines.take(&text.as_bytes()[..before], &secrets, Instant::now()));
                got.extend(lines.take(&text.as_bytes()[before..], &secrets, Instant::now()));
                got.extend(lines.flush());
                assert!(
                    got.iter().any(|line| line.contains(text)),
                    "{text} cut after {before}: {:?}",
                    got.last()
                );
            }
        }
    }

    /// What is given of these pieces, each so many milliseconds after the one before, and at the end.
    fn given(pieces: &[(&str, u64)], secrets: &Secrets) -> (Vec<String>, Option<String>) {
        let (mut lines, mut now, mut given) = (StderrLines::default(), Instant::now(), Vec::new());
        for (piece, after_ms) in pieces {
            now += Duration::from_millis(*after_ms);
            given.extend(lines.take(piece.as_bytes(), secrets, now));
        }
        (given, lines.flush())
    }

    #[test]
    fn a_progress_bar_is_seen_while_it_runs_and_its_last_state_always() {
        let none = Secrets::default();
        // The return first, as tqdm writes it, and last, as most loops do.
        for bar in [["\r 10%", "\r 20%", "\r 30%", "\r100%"], [" 10%\r", " 20%\r", " 30%\r", "100%\r"]] {
            let pieces = [(bar[0], 0), (bar[1], 100), (bar[2], 2000), (bar[3], 10)];
            let (seen, last) = given(&pieces, &none);
            assert_eq!(seen.last().map(String::as_str), Some(" 30%"), "{bar:?}: {seen:?}");
            assert!(seen.len() == 2 && last.as_deref() == Some("100%"), "{bar:?}: {seen:?} {last:?}");
        }
        let (seen, last) = given(&[("\r50%", 0), ("\r100%\ndone\n", 10)], &none);
        assert_eq!((seen, last), (vec!["50%".to_owned(), "100%".to_owned(), "done".to_owned()], None));
        // What was given is not given again, and what is wiped away stays what was seen.
        let (seen, last) = given(&[("\r100%", 0), ("\r    \r", 10), ("\n", 10), ("\n", 0)], &none);
        assert_eq!((seen, last), (vec!["100%".to_owned(), String::new()], None));
    }

    #[test]
    fn a_progress_bar_that_lasts_does_not_fill_the_log() {
        let (mut lines, none, begun) = (StderrLines::default(), Secrets::default(), Instant::now());
        let mut seen = 0;
        for step in 0..36_000 {
            let now = begun + Duration::from_millis(100 * step);
            seen += lines.take(format!("\r{step} of 36000").as_bytes(), &none, now).len();
        }
        assert!((200..300).contains(&seen), "{seen} states of an hour");
        assert_eq!(lines.flush().as_deref(), Some("35999 of 36000"));
    }

    #[test]
    fn lines_that_end_as_on_windows_are_lines_however_they_are_cut() {
        let none = Secrets::default();
        let (seen, last) = given(&[("one\r", 0), ("\ntwo\r", 5000), ("\n", 5000), ("\r\n", 0)], &none);
        assert_eq!((seen, last), (vec!["one".to_owned(), "two".to_owned(), String::new()], None));
    }

    #[test]
    fn a_state_is_not_given_with_half_a_secret() {
        let secrets = Secrets::of([("token", r#""hunter2-hunter2""#)]);
        let (seen, last) = given(&[("\ra\rkey hunter2-", 0), ("hunter2\r", 5000), ("\rb", 5000)], &secrets);
        assert_eq!((seen, last), (["a", "key hunter2-hunter2", "b"].map(str::to_owned).to_vec(), None));
    }
}
