//! Secrets taken out of frames: out of what users wrote, not out of the frames' own words.

use std::borrow::Cow;

use muster_protocol::transcript::{Entry, What};
use muster_protocol::{CallResult, ErrorInfo, JsonBytes, Outcome, ToSupervisor, ToWorker};

use crate::execution::Secrets;

/// Masks every secret in a frame.
pub(super) fn entry(entry: &mut Entry, secrets: &Secrets) {
    match &mut entry.what {
        What::ToWorker(message) => to_worker(message, secrets),
        What::ToSupervisor(message) => to_supervisor(message, secrets),
        // The end's message was masked when the attempt ended.
        What::Dropped(_) | What::Ended(_) => {}
    }
}

fn to_worker(message: &mut ToWorker, secrets: &Secrets) {
    match message {
        ToWorker::Execute { params, context, .. } => {
            json(params, secrets);
            json(context, secrets);
        }
        ToWorker::Cancel { message, .. } => secrets.mask_in(message),
        ToWorker::Reply { result, .. } => match result {
            CallResult::Ok { value } => json(value, secrets),
            CallResult::Err { error } => error_info(error, secrets),
        },
        ToWorker::Welcome { .. } | ToWorker::Ping { .. } | ToWorker::Drain { .. } | ToWorker::Dump { .. } => {
        }
    }
}

fn to_supervisor(message: &mut ToSupervisor, secrets: &Secrets) {
    match message {
        ToSupervisor::Log { records, .. } => {
            for record in records {
                secrets.mask_in(&mut record.message);
                json(&mut record.fields, secrets);
            }
        }
        ToSupervisor::Progress { message, .. } => secrets.mask_in(message),
        ToSupervisor::Call { params, .. } => json(params, secrets),
        ToSupervisor::Finished { outcome, .. } => match outcome {
            Outcome::Succeeded { result } => json(result, secrets),
            Outcome::Failed { error } => error_info(error, secrets),
            Outcome::Cancelled { message } => secrets.mask_in(message),
            Outcome::Rejected { reason } => secrets.mask_in(reason),
        },
        ToSupervisor::Stacks { text, .. } => secrets.mask_in(text),
        ToSupervisor::InitFailed { error } => error_info(error, secrets),
        ToSupervisor::Hello { .. }
        | ToSupervisor::Ready { .. }
        | ToSupervisor::Started { .. }
        | ToSupervisor::Idle { .. }
        | ToSupervisor::Pong { .. }
        | ToSupervisor::Goodbye { .. } => {}
    }
}

fn error_info(error: &mut ErrorInfo, secrets: &Secrets) {
    secrets.mask_in(&mut error.message);
    secrets.mask_in(&mut error.stack);
}

fn json(bytes: &mut JsonBytes, secrets: &Secrets) {
    if let Ok(text) = std::str::from_utf8(&bytes.0)
        && let Cow::Owned(masked) = secrets.mask_json(text)
    {
        bytes.0 = masked.into_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_masked_and_the_frames_own_words_are_not() {
        let secrets = Secrets::of([r#""Execute""#, r#""k3y-k3y""#]);
        let mut one = Entry {
            at_us: 0,
            what: What::ToWorker(ToWorker::Execute {
                run: 1,
                execution_id: "e".into(),
                attempt: 1,
                workflow: "w".into(),
                source: muster_protocol::Source::Named,
                params: JsonBytes(br#"{"Execute":"k3y-k3y!"}"#.to_vec()),
                context: JsonBytes(br#"{"config":{"api":"k3y-k3y"}}"#.to_vec()),
                timeout_ms: 0,
                grace_ms: 0,
            }),
        };
        entry(&mut one, &secrets);
        let What::ToWorker(message) = &one.what else { panic!() };
        let line = muster_protocol::json::to_line(message).unwrap();
        assert!(line.starts_with(r#"{"Execute":"#), "{line}");
        assert!(line.contains(r#""params":{"***":"***!"},"context":{"config":{"api":"***"}}"#), "{line}");
    }
}
