//! The log of one run, in memory and bounded.

use std::borrow::Cow;

use muster_core::execution::{LogLine, LogStream, Secrets};
use muster_core::json;
use muster_protocol::limits::{LOG_MESSAGE_MAX_BYTES, RUN_LOGS_HEAD_MAX_BYTES, RUN_LOGS_TAIL_MAX_BYTES};
use muster_protocol::{LogLevel, LogRecord};
use serde_json::value::RawValue;

use super::clock::unix_us;
use super::head_tail::{HeadAndTail, HeadTailBuffer};

/// Collects lines and numbers them, in the order they were read.
#[derive(Debug)]
pub(super) struct RunLogs {
    sequence: u64,
    lines: HeadTailBuffer<LogLine>,
    /// Records from the SDK, to compare with what it says it sent.
    pub(super) records: u64,
}

impl RunLogs {
    /// An empty log.
    pub(super) fn new() -> Self {
        let lines = HeadTailBuffer::new(RUN_LOGS_HEAD_MAX_BYTES, RUN_LOGS_TAIL_MAX_BYTES);
        Self { sequence: 0, lines, records: 0 }
    }

    /// The number of the next line.
    pub(super) fn next_sequence(&self) -> u64 {
        self.sequence + 1
    }

    /// Takes the next line and numbers it.
    pub(super) fn take(&mut self, mut line: LogLine) {
        self.sequence += 1;
        line.sequence = self.sequence;
        self.lines.push(line.size_bytes(), || line);
    }

    /// Copies of the lines from this number on, as far as they were kept.
    pub(super) fn since(&self, sequence: u64) -> Vec<LogLine> {
        let newest = self.lines.newest_first().take_while(|line| line.sequence >= sequence);
        let mut lines: Vec<_> = newest.cloned().collect();
        lines.reverse();
        lines
    }

    /// All lines that were kept. Where lines were dropped a line says how many, under the number of the first.
    pub(super) fn into_lines(self) -> Vec<LogLine> {
        let HeadAndTail { head: mut lines, dropped, tail } = self.lines.into_kept();
        if dropped.items > 0 {
            let of_text = dropped.bytes - dropped.items * size_of::<LogLine>() as u64;
            let message = format!(
                "{} lines ({of_text} bytes) were dropped here: a run keeps the first 12 MiB and the last 4 MiB of its log",
                dropped.items
            );
            let sequence = first_missing(lines.iter().chain(&tail));
            lines.push(LogLine { sequence, ..line(LogLevel::Warn, LogStream::Log, "muster", message) });
        }
        lines.extend(tail);
        lines
    }
}

/// The line of a record of the SDK, with these masked in it. Like all lines it has its number from the log that takes it.
pub(super) fn recorded(record: LogRecord, secrets: &Secrets) -> LogLine {
    let LogRecord { level, timestamp_us, logger, message, fields } = record;
    let fields = std::str::from_utf8(&fields.0).ok().filter(|text| !text.is_empty());
    let at_us = if timestamp_us == 0 { None } else { i64::try_from(timestamp_us).ok() };
    fit_to_show(
        LogLine {
            sequence: 0,
            at_us: at_us.unwrap_or_else(unix_us),
            level: level.as_str().into(),
            stream: LogStream::Log,
            logger,
            message,
            fields: fields.and_then(|text| storable_fields(text.to_owned())),
        },
        secrets,
    )
}

/// A line of stderr.
pub(super) fn printed(message: String, secrets: &Secrets) -> LogLine {
    fit_to_show(line(LogLevel::Info, LogStream::Stderr, "", message), secrets)
}

/// A remark of the supervisor's own.
pub(super) fn remarked(level: LogLevel, message: String, secrets: &Secrets) -> LogLine {
    fit_to_show(line(level, LogStream::Log, "muster", message), secrets)
}

fn fit_to_show(mut line: LogLine, secrets: &Secrets) -> LogLine {
    mask(&mut line, secrets);
    cut(&mut line.message);
    line
}

/// Fields on one line, without what no database stores: a line of a log never costs its execution anything. What is
/// out of bounds beyond that says so in their place.
fn storable_fields(text: String) -> Option<Box<RawValue>> {
    let fields = json::one_line_raw(RawValue::from_string(text).ok()?);
    let fields = match muster_protocol::value::replace_unstorable(fields.get()) {
        Cow::Borrowed(_) => fields,
        Cow::Owned(clean) => RawValue::from_string(clean).ok()?,
    };
    match json::check(fields.get(), "fields") {
        Ok(()) => Some(fields),
        Err(unfit) => {
            let said = std::collections::BTreeMap::from([("left_out", unfit)]);
            serde_json::value::to_raw_value(&said).ok()
        }
    }
}

/// The first number that none of the lines has; they are in order, from 1 on.
fn first_missing<'a>(lines: impl Iterator<Item = &'a LogLine>) -> u64 {
    1 + lines.zip(1..).take_while(|(line, number)| line.sequence == *number).count() as u64
}

fn line(level: LogLevel, stream: LogStream, logger: &str, message: String) -> LogLine {
    LogLine {
        sequence: 0,
        at_us: unix_us(),
        level: level.as_str().into(),
        stream,
        logger: logger.to_owned(),
        message,
        fields: None,
    }
}

fn mask(line: &mut LogLine, secrets: &Secrets) {
    if secrets.is_empty() {
        return;
    }
    secrets.mask_in(&mut line.message);
    secrets.mask_in(&mut line.logger);
    if let Some(fields) = &line.fields
        && let Cow::Owned(masked) = secrets.mask_json(fields.get())
    {
        line.fields = RawValue::from_string(masked).ok();
    }
}

/// Cuts a message that is too long at a character border and says how much is gone.
fn cut(message: &mut String) {
    if message.len() <= LOG_MESSAGE_MAX_BYTES {
        return;
    }
    let whole = message.len();
    message.truncate(message.floor_char_boundary(LOG_MESSAGE_MAX_BYTES));
    let gone = whole - message.len();
    message.push_str(&format!("… ({gone} bytes cut)"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept_and_the_gap_says_how_much() {
        let mut logs = RunLogs::new();
        let text = "x".repeat(60_000);
        for _ in 0..400 {
            logs.take(printed(text.clone(), &Secrets::default()));
        }
        let lines = logs.into_lines();
        assert_eq!(lines.first().map(|line| line.sequence), Some(1));
        assert_eq!(lines.last().map(|line| line.sequence), Some(400));
        let gap = lines.iter().position(|line| line.logger == "muster").unwrap();
        let dropped = 400 - (lines.len() as u64 - 1);
        assert!(lines[gap].message.starts_with(&format!("{dropped} lines ({} bytes)", dropped * 60_000)));
        assert_eq!(lines[gap].sequence, lines[gap - 1].sequence + 1);
        assert_eq!(lines[gap + 1].sequence, lines[gap].sequence + dropped);
        let bytes: usize = lines.iter().map(LogLine::size_bytes).sum();
        assert!(bytes <= RUN_LOGS_HEAD_MAX_BYTES + RUN_LOGS_TAIL_MAX_BYTES + 1024);
    }

    #[test]
    fn the_gap_has_a_number_that_no_line_has() {
        let mut logs = RunLogs::new();
        let mut with_fields = |bytes: usize| {
            let fields = muster_protocol::JsonBytes::from(format!("\"{}\"", "x".repeat(bytes)));
            let record = LogRecord { fields, ..LogRecord::default() };
            logs.take(recorded(record, &Secrets::default()));
        };
        // The second is too long for what is left of the beginning, the third for the end.
        for bytes in [RUN_LOGS_HEAD_MAX_BYTES - 1024, 2048, RUN_LOGS_TAIL_MAX_BYTES, 1] {
            with_fields(bytes);
        }
        let mut numbers: Vec<_> = logs.into_lines().iter().map(|line| line.sequence).collect();
        numbers.sort();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }

    #[test]
    fn secrets_are_masked_in_messages_prints_and_fields() {
        let secrets = Secrets::of([("password", r#""hunter2""#)]);
        let printed = printed("password: hunter2".to_owned(), &secrets);
        let record = LogRecord {
            message: "with hunter2".to_owned(),
            fields: muster_protocol::JsonBytes::from(br#"{"pw":"hunter\u0032","n":1.0}"#.to_vec()),
            ..LogRecord::default()
        };
        let logged = recorded(record, &secrets);
        assert_eq!((printed.message.as_str(), logged.message.as_str()), ("password: ***", "with ***"));
        assert_eq!(logged.fields.unwrap().get(), r#"{"pw":"***","n":1.0}"#);
    }

    #[test]
    fn fields_become_one_line_that_can_be_stored() {
        let fields = |text: &str| {
            let fields = muster_protocol::JsonBytes::from(text);
            let line = recorded(LogRecord { fields, ..LogRecord::default() }, &Secrets::default());
            line.fields.map(|fields| fields.get().to_owned())
        };
        assert_eq!(fields("{\r\n \"a\": 1.50 ,\n\"b\" : \"x \\n\"}").unwrap(), r#"{"a":1.50,"b":"x \n"}"#);
        assert_eq!(fields(r#"{"k\ud83d":"\u0000"}"#).unwrap(), r#"{"k\ufffd":"\ufffd"}"#);
        let left_out = fields(r#"{"a":[1e999]}"#).unwrap();
        assert!(left_out.starts_with(r#"{"left_out":"fields.a[0]: is a number"#), "{left_out}");
        assert_eq!(fields("{oops"), None);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character_and_marked() {
        let line = printed("ä".repeat(LOG_MESSAGE_MAX_BYTES), &Secrets::default());
        assert!(line.message.starts_with('ä') && line.message.ends_with("bytes cut)"));
        assert!(line.message.len() < LOG_MESSAGE_MAX_BYTES + 64);
    }
}
