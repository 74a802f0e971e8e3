//! A transcript as a person reads it: one line for each frame, `>` to the worker and `<` from it.

use std::fmt::Write as _;

use muster_protocol::transcript::{EntryKind, RecordedEnd, Transcript, TranscriptEntry, TranscriptHeader};
use muster_protocol::{CallResult, CodeSource, ErrorInfo, JsonBytes, RunOutcome, ToSupervisor, ToWorker};

/// A value is cut after so many characters; `--json` and `--out` have all of it.
const SHOWN_MAX_CHARACTERS: usize = 400;

/// Tells what passed in words for people, one line a frame.
pub(super) fn describe(transcript: &Transcript) -> String {
    let TranscriptHeader { execution_id, attempt, workflow, recorded_at, .. } = &transcript.header;
    let TranscriptHeader { implementation, implementation_version, language, .. } = &transcript.header;
    let mut text = format!(
        "execution {execution_id}, attempt {attempt}: {workflow}\n\
         recorded {recorded_at} with {implementation} {implementation_version} ({language})\n\n"
    );
    for TranscriptEntry { at_us, what } in &transcript.entries {
        for line in lines(what) {
            let seconds = *at_us as f64 / 1e6;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{seconds:+10.6} s  {line}");
        }
    }
    text
}

fn lines(what: &EntryKind) -> Vec<String> {
    match what {
        EntryKind::ToWorker(message) => vec![format!("> {}", to_worker(message))],
        EntryKind::ToSupervisor(ToSupervisor::Log { records, .. }) => records
            .iter()
            .map(|record| {
                let fields = if record.fields.is_none() { String::new() } else { json(&record.fields) };
                let text = format!("{} {fields}", cut(&record.message));
                format!("< Log {:5} {}", record.level.as_str(), text.trim_end())
            })
            .collect(),
        EntryKind::ToSupervisor(message) => vec![format!("< {}", to_supervisor(message))],
        EntryKind::Dropped(count) => vec![format!("  … {count} frames were not kept …")],
        EntryKind::Ended(RecordedEnd { status, error_type, error_message }) => {
            let kind = error_type.as_deref().map(|kind| format!(" {kind}:")).unwrap_or_default();
            let message = error_message.as_deref().map(|message| format!(" {message}")).unwrap_or_default();
            vec![format!("  {status}{kind}{message}")]
        }
    }
}

fn to_worker(message: &ToWorker) -> String {
    match message {
        ToWorker::Execute { source, params, timeout_ms, .. } => {
            let source = match source {
                CodeSource::Named => String::new(),
                CodeSource::Path { path, function } => format!(" {path} {function}"),
                CodeSource::Inline { language, code } => {
                    format!(" {} bytes of {language} code", code.0.len())
                }
            };
            let limit = match timeout_ms {
                0 => "no time limit".to_owned(),
                ms => format!("{} s at most", *ms as f64 / 1000.0),
            };
            format!("Execute{source}, {limit}, params {}", json(params))
        }
        ToWorker::Cancel { reason, message, grace_ms, .. } => {
            format!("Cancel {reason:?} ({grace_ms} ms grace): {}", cut(message))
        }
        ToWorker::Reply { call, result: CallResult::Ok { value }, .. } => {
            format!("Reply {call} {}", json(value))
        }
        ToWorker::Reply { call, result: CallResult::Err { error }, .. } => {
            format!("Reply {call} {}", self::error(error))
        }
        ToWorker::Welcome { .. }
        | ToWorker::Ping { .. }
        | ToWorker::Drain { .. }
        | ToWorker::Dump { .. }
        | ToWorker::Fork { .. } => message.name().to_owned(),
    }
}

fn to_supervisor(message: &ToSupervisor) -> String {
    let name = message.name();
    match message {
        ToSupervisor::Progress { current, total, message, .. } => {
            format!("{name} {current}/{total} {}", cut(message))
        }
        ToSupervisor::Call { call, method, params, .. } => format!("{name} {call} {method} {}", json(params)),
        ToSupervisor::Finished { outcome, .. } => match outcome {
            RunOutcome::Succeeded { result } => format!("{name} Succeeded {}", json(result)),
            RunOutcome::Failed { error } => format!("{name} Failed {}{}", self::error(error), stack(error)),
            RunOutcome::Cancelled { message } => format!("{name} Cancelled {}", cut(message)),
            RunOutcome::Rejected { reason } => format!("{name} Rejected {}", cut(reason)),
        },
        ToSupervisor::Stacks { text, .. } => format!("{name}\n{}", indented(text)),
        ToSupervisor::Hello { .. }
        | ToSupervisor::Ready { .. }
        | ToSupervisor::InitFailed { .. }
        | ToSupervisor::Started { .. }
        | ToSupervisor::Log { .. }
        | ToSupervisor::Idle { .. }
        | ToSupervisor::Pong { .. }
        | ToSupervisor::Describe { .. }
        | ToSupervisor::Forked { .. }
        | ToSupervisor::Exited { .. }
        | ToSupervisor::ForkFailed { .. }
        | ToSupervisor::Goodbye { .. } => name.to_owned(),
    }
}

fn error(error: &ErrorInfo) -> String {
    format!("{}: {}", error.kind, cut(&error.message))
}

fn stack(error: &ErrorInfo) -> String {
    if error.stack.is_empty() { String::new() } else { format!("\n{}", indented(&error.stack)) }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("{:16}{line}", "")).collect();
    lines.join("\n")
}

fn json(bytes: &JsonBytes) -> String {
    if bytes.is_none() { "none".to_owned() } else { cut(&String::from_utf8_lossy(&bytes.0)) }
}

/// One line, not too long.
fn cut(text: &str) -> String {
    let line = text.replace(['\n', '\r'], " ");
    match line.char_indices().nth(SHOWN_MAX_CHARACTERS) {
        Some((end, _)) => format!("{}… ({} bytes)", &line[..end], text.len()),
        None => line,
    }
}
