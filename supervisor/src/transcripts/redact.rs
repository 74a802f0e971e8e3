//! Frames made fit to be written down: secrets are taken out of what users wrote, not out of the frames' own words,
//! and bytes that are no JSON become a string, so that one bad field does not cost the whole transcript.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use muster_core::execution::Secrets;
use muster_protocol::transcript::{EntryKind, MASK, TranscriptEntry};
use muster_protocol::{CallResult, JsonBytes, RunOutcome, ToSupervisor, ToWorker};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Tidies the frames of one run.
pub(super) fn entries(entries: &mut [TranscriptEntry], secrets: &Secrets) {
    // Which calls asked for a secret entry: their replies are masked whole, however short.
    let mut secret_calls = BTreeSet::new();
    for entry in entries {
        match &mut entry.what {
            EntryKind::ToWorker(ToWorker::Reply { call, result: CallResult::Ok { value }, .. })
                if secret_calls.contains(call) =>
            {
                *value = masked();
            }
            EntryKind::ToWorker(message) => to_worker(message, secrets),
            EntryKind::ToSupervisor(message) => {
                secret_calls.extend(asks_for_secret(message, secrets));
                to_supervisor(message, secrets);
            }
            // The end's message was masked when the attempt ended.
            EntryKind::Dropped(_) | EntryKind::Ended(_) => {}
        }
    }
}

/// The number of a call for a secret configuration entry.
fn asks_for_secret(message: &ToSupervisor, secrets: &Secrets) -> Option<u32> {
    let ToSupervisor::Call { call, method, params, .. } = message else { return None };
    #[derive(Deserialize)]
    struct RedactedKey {
        key: String,
    }
    let RedactedKey { key } = params.parse().ok()?;
    (method == muster_protocol::method::CONFIG_GET && secrets.has_key(&key)).then_some(*call)
}

fn masked() -> JsonBytes {
    JsonBytes::of(&MASK)
}

fn to_worker(message: &mut ToWorker, secrets: &Secrets) {
    match message {
        ToWorker::Execute { params, context, .. } => {
            json(params, secrets);
            mask_config(context, secrets);
            json(context, secrets);
        }
        ToWorker::Cancel { message, .. } => secrets.mask_in(message),
        ToWorker::Reply { result, .. } => match result {
            CallResult::Ok { value } => json(value, secrets),
            CallResult::Err { error } => secrets.mask_error(error),
        },
        ToWorker::Welcome { .. }
        | ToWorker::Ping { .. }
        | ToWorker::Drain { .. }
        | ToWorker::Dump { .. }
        | ToWorker::Fork { .. } => {}
    }
}

/// In the context each secret entry is masked by its key, whatever its value is. The rest stays as it was spelled.
fn mask_config(context: &mut JsonBytes, secrets: &Secrets) {
    type Object = BTreeMap<String, Box<RawValue>>;
    if secrets.is_empty() {
        return;
    }
    let Ok(mut parts) = context.parse::<BTreeMap<String, Box<RawValue>>>() else { return };
    let Some(mut config) =
        parts.get("config").and_then(|config| serde_json::from_str::<Object>(config.get()).ok())
    else {
        return;
    };
    let Ok(masked) = serde_json::value::to_raw_value(MASK) else { return };
    for (key, value) in &mut config {
        if secrets.has_key(key) {
            value.clone_from(&masked);
        }
    }
    if let Ok(config) = serde_json::value::to_raw_value(&config) {
        parts.insert("config".to_owned(), config);
        *context = JsonBytes::of(&parts);
    }
}

fn to_supervisor(message: &mut ToSupervisor, secrets: &Secrets) {
    match message {
        ToSupervisor::Log { records, .. } => {
            for record in records {
                secrets.mask_in(&mut record.message);
                secrets.mask_in(&mut record.logger);
                json(&mut record.fields, secrets);
            }
        }
        ToSupervisor::Progress { message, .. } => secrets.mask_in(message),
        ToSupervisor::Call { params, .. } => json(params, secrets),
        ToSupervisor::Finished { outcome, .. } => match outcome {
            RunOutcome::Succeeded { result } => json(result, secrets),
            RunOutcome::Failed { error } => secrets.mask_error(error),
            RunOutcome::Cancelled { message } => secrets.mask_in(message),
            RunOutcome::Rejected { reason } => secrets.mask_in(reason),
        },
        ToSupervisor::Stacks { text, .. } => secrets.mask_in(text),
        ToSupervisor::InitFailed { error } => secrets.mask_error(error),
        ToSupervisor::Hello { .. }
        | ToSupervisor::Ready { .. }
        | ToSupervisor::Started { .. }
        | ToSupervisor::Idle { .. }
        | ToSupervisor::Pong { .. }
        | ToSupervisor::Describe { .. }
        | ToSupervisor::Forked { .. }
        | ToSupervisor::Exited { .. }
        | ToSupervisor::ForkFailed { .. }
        | ToSupervisor::Goodbye { .. } => {}
    }
}

fn json(bytes: &mut JsonBytes, secrets: &Secrets) {
    if bytes.is_none() {
        return;
    }
    let text = match std::str::from_utf8(&bytes.0) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => text,
        Ok(_) | Err(_) => {
            let text = String::from_utf8_lossy(&bytes.0).into_owned();
            *bytes = JsonBytes::of(&secrets.mask(&text));
            return;
        }
    };
    if let Cow::Owned(masked) = secrets.mask_json(text) {
        bytes.0 = masked.into();
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::CodeSource;

    use super::*;

    fn line(what: EntryKind) -> String {
        match what {
            EntryKind::ToWorker(message) => muster_protocol::json::to_line(&message).unwrap(),
            EntryKind::ToSupervisor(message) => muster_protocol::json::to_line(&message).unwrap(),
            EntryKind::Dropped(_) | EntryKind::Ended(_) => String::new(),
        }
    }

    fn tidied(frames: Vec<EntryKind>, secrets: &Secrets) -> Vec<String> {
        let mut entries: Vec<TranscriptEntry> =
            frames.into_iter().map(|what| TranscriptEntry { at_us: 0, what }).collect();
        super::entries(&mut entries, secrets);
        entries.into_iter().map(|entry| line(entry.what)).collect()
    }

    fn execute(params: &str, context: &str) -> EntryKind {
        EntryKind::ToWorker(ToWorker::Execute {
            run: 1,
            execution_id: "e".into(),
            attempt: 1,
            workflow: "w".into(),
            source: CodeSource::Named,
            params: JsonBytes::from(params),
            context: JsonBytes::from(context),
            timeout_ms: 0,
            grace_ms: 0,
        })
    }

    #[test]
    fn payloads_are_masked_and_the_frames_own_words_are_not() {
        let secrets = Secrets::of([("word", r#""Execute""#), ("api", r#""k3y-k3y""#), ("pin", "7")]);
        let context = r#"{"config":{"api":"k3y-k3y","open":1.50,"pin":7},"startup":{"seven":7.0}}"#;
        let lines = tidied(vec![execute(r#"{"Execute":"k3y-k3y!"}"#, context)], &secrets);
        assert!(lines[0].starts_with(r#"{"Execute":"#), "{}", lines[0]);
        assert!(lines[0].contains(r#""params":{"***":"***!"}"#), "{}", lines[0]);
        assert!(lines[0].contains(r#""api":"***","open":1.50,"pin":"***""#), "{}", lines[0]);
        assert!(lines[0].contains(r#""startup":{"seven":7.0}"#), "{}", lines[0]);
    }

    #[test]
    fn the_answer_to_a_question_for_a_secret_is_masked_whole() {
        let secrets = Secrets::of([("pin", "7")]);
        let call = |call, key: &str| {
            let params = JsonBytes::from(format!(r#"{{"key":"{key}"}}"#).into_bytes());
            EntryKind::ToSupervisor(ToSupervisor::Call { run: 1, call, method: "config.get".into(), params })
        };
        let reply = |call| {
            let result = CallResult::Ok { value: JsonBytes::from(b"7".to_vec()) };
            EntryKind::ToWorker(ToWorker::Reply { run: 1, call, result })
        };
        let lines = tidied(vec![call(1, "pin"), call(2, "other"), reply(2), reply(1)], &secrets);
        assert!(lines[2].contains(r#"{"Ok":{"value":7}}"#), "{}", lines[2]);
        assert!(lines[3].contains(r#"{"Ok":{"value":"***"}}"#), "{}", lines[3]);
    }

    #[test]
    fn what_is_no_json_becomes_a_string() {
        let lines = tidied(vec![execute("{broken", "")], &Secrets::default());
        assert!(lines[0].contains(r#""params":"{broken","context":null"#), "{}", lines[0]);
    }
}
