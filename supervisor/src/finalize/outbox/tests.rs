//! What is kept comes back whole, and nothing else does.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, LogLine, LogStream};
use muster_store::{
    Disposition, ExecutionFailure, ExecutionOutcome, NewEvent, NewExecution, StateChange, StateWrite,
};
use uuid::Uuid;

use super::format::checksum;
use super::*;

const MAX_BYTES: u64 = 1 << 20;

fn raw(json: &str) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(json.to_owned()).unwrap()
}

/// An outcome with something in every field, so that a field that does not come back shows.
fn end(number: u32) -> Finalization {
    let at = Timestamp::from_microsecond(1_700_000_000_000_001).unwrap();
    let disposition = match number % 3 {
        0 => Disposition::Terminal(ExecutionOutcome::Success { result: raw("null") }),
        1 => Disposition::Retry {
            failure: ExecutionFailure::new("E", "m"),
            delay: Duration::from_millis(1500),
            max_attempts: 5,
        },
        _ => Disposition::Release { reason: "r".to_owned(), delay: Duration::ZERO, charged: false },
    };
    let change = |key: &str, write| StateChange { organization_id: None, key: key.to_owned(), write };
    Finalization {
        attempt: Attempt::new(Uuid::from_u128(u128::from(number)), number),
        owner: Uuid::from_u128(7),
        disposition,
        started_at: Some(at),
        completed_at: at,
        duration_ms: Some(12),
        metrics: Some(raw(r#"{"cpu":1}"#)),
        end_cause: Some(raw(r#"{"kind":"exited"}"#)),
        logs: vec![LogLine {
            sequence: 1,
            at_us: 5,
            level: "warn".into(),
            stream: LogStream::Stderr,
            logger: String::new(),
            message: "zero \0 and ü".to_owned(),
            fields: Some(raw("{}")),
        }],
        changes: vec![change("a", StateWrite::Set(raw("null"))), change("b", StateWrite::Delete)],
        children: vec![NewExecution {
            id: Uuid::from_u128(9),
            workflow_id: None,
            workflow_name: Some("child".to_owned()),
            organization_id: None,
            caller: None,
            request: raw(r#"{"parameters":{}}"#),
            max_attempts: 1,
            timeout_seconds: Some(0.5),
            priority: 3,
            retry_of: None,
            queue: Some("python".to_owned()),
            is_queue_default: true,
            delay: Duration::from_secs(1),
            run_at: Some(at),
            expiry: None,
            idempotency: None,
            limits: Vec::new(),
            published_at: None,
            is_refusable: false,
        }],
        events: vec![NewEvent::new(at, "started")],
    }
}

/// Rendered, because raw JSON has no equality.
fn shown(outcomes: &[Finalization]) -> Vec<String> {
    outcomes.iter().map(|outcome| format!("{outcome:?}")).collect()
}

fn outbox() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    (folder, path)
}

#[test]
fn rule_19_what_was_appended_comes_back_whole_after_a_restart() {
    let (_folder, path) = outbox();
    let outcomes = [end(0), end(1), end(2)];
    let mut outbox = OutcomeOutbox::open(&path, MAX_BYTES).unwrap();
    outbox.append(&outcomes[..2]).unwrap();
    outbox.append(&outcomes[2..]).unwrap();
    drop(outbox);
    let mut outbox = OutcomeOutbox::open(&path, MAX_BYTES).unwrap();
    assert_eq!(outbox.len(), 3);
    assert_eq!(shown(&outbox.oldest(2, usize::MAX).unwrap()), shown(&outcomes[..2]));
    outbox.forget(2).unwrap();
    assert_eq!(shown(&outbox.oldest(10, usize::MAX).unwrap()), shown(&outcomes[2..]));
    outbox.append(&outcomes[..1]).unwrap();
    outbox.forget(2).unwrap();
    assert!(outbox.is_empty());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 8, "emptied with the last");
    drop(outbox);
    assert!(OutcomeOutbox::open(&path, MAX_BYTES).unwrap().is_empty());
}

#[test]
fn rule_19_a_crash_at_any_byte_keeps_every_record_before_it() {
    let (folder, path) = outbox();
    let small = |number| Finalization {
        logs: Vec::new(),
        changes: Vec::new(),
        children: Vec::new(),
        events: Vec::new(),
        ..end(number)
    };
    let outcomes = [small(0), small(1)];
    let mut outbox = OutcomeOutbox::open(&path, MAX_BYTES).unwrap();
    outbox.append(&outcomes[..1]).unwrap();
    let first_end = outbox.end;
    outbox.append(&outcomes[1..]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        let path = folder.path().join("cut");
        std::fs::write(&path, &whole[..length]).unwrap();
        let mut outbox = OutcomeOutbox::open(&path, MAX_BYTES).unwrap();
        let expected = usize::from(length as u64 >= first_end) + usize::from(length == whole.len());
        assert_eq!(outbox.len(), expected, "cut to {length} of {} bytes", whole.len());
        assert_eq!(shown(&outbox.oldest(9, usize::MAX).unwrap()), shown(&outcomes[..expected]));
        // And it goes on from there. (Not every time: each append waits for the disk.)
        if length % 50 == 0 {
            outbox.append(&outcomes[1..]).unwrap();
            drop(outbox);
            assert_eq!(OutcomeOutbox::open(&path, MAX_BYTES).unwrap().len(), expected + 1);
        }
    }
}

#[test]
fn a_flipped_bit_is_never_taken_for_a_record() {
    let (_folder, path) = outbox();
    let mut outbox = OutcomeOutbox::open(&path, MAX_BYTES).unwrap();
    outbox.append(&[end(0)]).unwrap();
    drop(outbox);
    let whole = std::fs::read(&path).unwrap();
    for place in MAGIC.len()..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        assert!(scan(&damaged[MAGIC.len()..]).unwrap().0.is_empty(), "bit flipped in byte {place}");
    }
    let mut zeros = whole.clone();
    zeros.extend([0; 64]);
    assert_eq!(scan(&zeros[MAGIC.len()..]).unwrap().0.len(), 1, "zeros are no record");
}

#[test]
fn the_bound_holds_and_a_refused_append_leaves_nothing() {
    let (_folder, path) = outbox();
    let mut outbox = OutcomeOutbox::open(&path, 3000).unwrap();
    outbox.append(&[end(0)]).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = outbox.append(&[end(1), end(2), end(0), end(1)]).unwrap_err();
    assert!(matches!(error, OutboxError::Full { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(outbox.len(), 1);
    outbox.reserve(100).unwrap();
    outbox.reserve(u64::MAX).unwrap();
    assert!(std::fs::metadata(&path).unwrap().blocks() * 512 <= 2 * 4096, "no more than the bound");
    assert_eq!(std::fs::read(&path).unwrap(), before, "reserving does not change what is read");
}

#[test]
fn a_file_that_is_no_outbox_is_left_alone() {
    let (_folder, path) = outbox();
    std::fs::write(&path, "somebody's notes").unwrap();
    let error = OutcomeOutbox::open(&path, MAX_BYTES).unwrap_err();
    assert!(matches!(error, OutboxError::Unreadable { offset: 0, .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's notes");
}

#[test]
fn rule_19_a_record_of_another_version_is_refused_at_the_start_and_left_alone() {
    let (_folder, path) = outbox();
    drop(OutcomeOutbox::open(&path, MAX_BYTES).unwrap());
    let json = br#"{"not":"a finalization"}"#;
    let length = json.len() as u32;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(checksum(length, json).to_le_bytes());
    bytes.extend(json);
    std::fs::write(&path, &bytes).unwrap();
    let refused = OutcomeOutbox::open(&path, MAX_BYTES).unwrap_err();
    assert!(matches!(refused, OutboxError::Unreadable { offset: 8, .. }), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_group_is_bounded_by_its_bytes_and_never_empty() {
    let (_folder, path) = outbox();
    let mut outbox = OutcomeOutbox::open(&path, MAX_BYTES).unwrap();
    outbox.append(&[end(1), end(2), end(3)]).unwrap();
    assert_eq!(outbox.oldest(10, 1).unwrap().len(), 1);
    assert_eq!(outbox.oldest(10, usize::MAX).unwrap().len(), 3);
}
