//! The golden vectors in `vectors/`: generated from the samples, kept in the tree, read by every language.
//!
//! `MUSTER_BLESS=1` writes them anew. A change in an old vector is a change of the wire and must not happen.

use std::path::PathBuf;

use bytes::BytesMut;
use muster_protocol::codec::{CodecError, Decoded, ProtocolMessage, decode};
use muster_protocol::frame::{append_frame, read_body};
use muster_protocol::wire::{Incoming, Spelling, WireDecoder, WireError};
use muster_protocol::{ToSupervisor, ToWorker, json};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{hex, samples};

/// A message and its two spellings. `hex` is the whole frame, header and body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Positive {
    pub(crate) name: String,
    pub(crate) direction: Direction,
    pub(crate) json: Box<RawValue>,
    pub(crate) hex: String,
}

/// Bytes a receiver must refuse. `hex` is what stands on the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Negative {
    name: String,
    direction: Direction,
    hex: String,
    error: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    ToSupervisor,
    ToWorker,
}

pub(crate) fn frame<M: ProtocolMessage>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    append_frame(message, &mut out).unwrap();
    out
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(body);
    out
}

fn positives<M: ProtocolMessage>(direction: Direction, samples: &[(String, M)]) -> Vec<Positive> {
    let vector = |(name, message): &(String, M)| Positive {
        name: name.clone(),
        direction,
        json: RawValue::from_string(json::to_line(message).unwrap()).unwrap(),
        hex: hex::encode(&frame(message)),
    };
    samples.iter().map(vector).collect()
}

/// Every way of breaking one frame that all messages share: cut at every byte, and one byte too many.
fn broken<M: ProtocolMessage>(direction: Direction, name: &str, message: &M) -> Vec<Negative> {
    let body = &frame(message)[4..];
    let negative = |what: String, stream: Vec<u8>, error: &str| Negative {
        name: format!("{name}.{what}"),
        direction,
        hex: hex::encode(&stream),
        error: error.into(),
    };
    let error = |cut: usize| match cut {
        0 => "bad_length",
        1..=3 => "too_short",
        _ => "malformed",
    };
    let mut vectors: Vec<_> = (0..body.len())
        .map(|cut| negative(format!("truncated_at_{cut}"), framed(&body[..cut]), error(cut)))
        .collect();
    let longer: Vec<u8> = body.iter().copied().chain([0]).collect();
    vectors.push(negative("trailing_byte".into(), framed(&longer), "trailing_bytes"));
    vectors
}

fn negatives() -> Vec<Negative> {
    use Direction::{ToSupervisor as Up, ToWorker as Down};
    let up = samples::to_supervisor();
    let down = samples::to_worker();
    let find_up = |name: &str| up.iter().find(|(it, _)| it == name).map(|(_, message)| message).unwrap();
    let find_down = |name: &str| down.iter().find(|(it, _)| it == name).map(|(_, message)| message).unwrap();
    let mut vectors = Vec::new();
    for name in ["Hello", "Finished.Failed.retryable"] {
        vectors.extend(broken(Up, name, find_up(name)));
    }
    for name in ["Welcome", "Execute.Inline"] {
        vectors.extend(broken(Down, name, find_down(name)));
    }

    // What stands at `at` in a good frame is replaced.
    let patched = |frame: Vec<u8>, at: usize, by: &[u8]| {
        let mut frame = frame;
        frame[at..at + by.len()].copy_from_slice(by);
        frame
    };
    let huge = u64::MAX.to_le_bytes();
    let a_gibibyte = (1_u64 << 30).to_le_bytes();
    let cases: Vec<(&str, Direction, Vec<u8>, &str)> = vec![
        ("length.zero", Up, vec![0, 0, 0, 0], "bad_length"),
        ("length.over_the_limit", Up, vec![1, 0, 0, 0], "polluted"),
        ("length.over_the_limit", Down, vec![1, 0, 0, 0], "bad_length"),
        ("text_on_stdout", Up, b"hello from a print\n".to_vec(), "polluted"),
        (
            "Finished.bad_outcome_tag",
            Up,
            patched(frame(find_up("Finished.Succeeded")), 12, &[4]),
            "malformed",
        ),
        (
            "Finished.bad_option_tag",
            Up,
            // The tag stands before retryable itself, the metrics and the count of log records.
            {
                let frame = frame(find_up("Finished.Failed.retryable"));
                let at = frame.len() - 8 - 32 - 2;
                patched(frame, at, &[2])
            },
            "malformed",
        ),
        ("Idle.bad_bool", Up, patched(frame(find_up("Idle")), 20, &[2]), "malformed"),
        ("Log.bad_level", Up, patched(frame(find_up("Log")), 28, &[5]), "malformed"),
        ("Log.hostile_record_count", Up, patched(frame(find_up("Log")), 12, &huge), "malformed"),
        ("Ready.hostile_name_count", Up, patched(frame(find_up("Ready")), 8, &a_gibibyte), "malformed"),
        ("Goodbye.hostile_string_length", Up, patched(frame(find_up("Goodbye")), 8, &huge), "malformed"),
        ("Goodbye.invalid_utf8", Up, patched(frame(find_up("Goodbye")), 16, &[0xff]), "malformed"),
        ("Cancel.bad_reason", Down, patched(frame(find_down("Cancel.User")), 12, &[4]), "malformed"),
        ("Reply.bad_result_tag", Down, patched(frame(find_down("Reply.Ok")), 16, &[2]), "malformed"),
        (
            "Reply.hostile_value_length",
            Down,
            patched(frame(find_down("Reply.Ok")), 20, &a_gibibyte),
            "malformed",
        ),
        ("Describe.hostile_count", Up, patched(frame(find_up("Describe")), 9, &huge), "malformed"),
        ("Drain.invalid_utf8", Down, patched(frame(find_down("Drain")), 16, &[0xc3, 0x28]), "malformed"),
    ];
    vectors.extend(cases.into_iter().map(|(name, direction, stream, error)| Negative {
        name: name.into(),
        direction,
        hex: hex::encode(&stream),
        error: error.into(),
    }));
    vectors
}

/// Messages of versions to come: passed over, never an error.
fn skipped() -> Vec<Positive> {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let vector = |name: &str, direction, index: u32, rest: &[u8], json: &str| Positive {
        name: name.into(),
        direction,
        json: raw(json),
        hex: hex::encode(&framed(&[&index.to_le_bytes(), rest].concat())),
    };
    vec![
        vector("later.next", Direction::ToSupervisor, 1000, &[1, 2, 3], r#"{"Later":{"run":7}}"#),
        vector("later.last", Direction::ToSupervisor, u32::MAX, &[], r#"{"Much later":null}"#),
        vector("later.next", Direction::ToWorker, 1000, &[1, 2, 3], r#"{"Later":{"run":7}}"#),
        vector("later.last", Direction::ToWorker, u32::MAX, &[], r#"{"Much later":null}"#),
    ]
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file)
}

pub(crate) fn read<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let text = std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Compares the file with what the code says, one vector a line; or writes it, with `MUSTER_BLESS=1`.
fn compare<T: Serialize>(file: &str, vectors: &[T]) {
    let lines: Vec<_> = vectors.iter().map(|vector| serde_json::to_string(vector).unwrap()).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    if std::env::var_os("MUSTER_BLESS").is_some() {
        std::fs::write(path(file), &text).unwrap();
    }
    let stored = std::fs::read_to_string(path(file)).unwrap_or_default();
    for (number, (stored, now)) in stored.lines().zip(text.lines()).enumerate() {
        assert_eq!(stored, now, "vectors/{file}:{} is not what the code says", number + 1);
    }
    assert_eq!(stored.lines().count(), text.lines().count(), "vectors/{file}: run with MUSTER_BLESS=1");
}

#[test]
fn golden_files_are_what_the_code_says() {
    compare("to_supervisor.json", &positives(Direction::ToSupervisor, &samples::to_supervisor()));
    compare("to_worker.json", &positives(Direction::ToWorker, &samples::to_worker()));
    compare("rejected.json", &negatives());
    compare("skipped.json", &skipped());
}

#[test]
fn every_message_has_a_sample_and_its_name_is_its_index() {
    fn check<M: ProtocolMessage>(samples: &[(String, M)], name: impl Fn(&M) -> &'static str) {
        for (index, expected) in M::NAMES.iter().enumerate() {
            let of_this = samples.iter().filter(|(_, message)| name(message) == *expected);
            let bodies: Vec<_> = of_this.map(|(_, message)| frame(message)[4]).collect();
            assert!(!bodies.is_empty(), "no sample of {expected}");
            assert!(bodies.iter().all(|&tag| usize::from(tag) == index), "{expected} is not number {index}");
        }
    }
    check(&samples::to_supervisor(), ToSupervisor::name);
    check(&samples::to_worker(), ToWorker::name);
}

#[test]
fn every_positive_vector_decodes_to_its_json_and_back() {
    fn check<M: ProtocolMessage + PartialEq + std::fmt::Debug>(file: &str) {
        for vector in read::<Positive>(file) {
            let stream = hex::decode(&vector.hex);
            let (mut rest, mut body) = (stream.as_slice(), Vec::new());
            assert!(read_body(&mut rest, &mut body).unwrap(), "{}", vector.name);
            let Decoded::Message(message) = decode::<M>(&body).unwrap() else {
                panic!("{} is not known", vector.name)
            };
            assert_eq!(frame(&message), stream, "{}", vector.name);
            assert_eq!(json::to_line(&message).unwrap(), vector.json.get(), "{}", vector.name);
            let from_json = json::from_line::<M>(vector.json.get()).unwrap();
            assert_eq!(from_json, Decoded::Message(message), "{}", vector.name);
        }
    }
    check::<ToSupervisor>("to_supervisor.json");
    check::<ToWorker>("to_worker.json");
}

/// What our decoder calls the fault in `stream`.
fn refusal<M: ProtocolMessage + std::fmt::Debug>(stream: &[u8]) -> &'static str {
    let mut decoder = WireDecoder::decided(Spelling::Binary);
    match decoder.next::<M>(&mut BytesMut::from(stream)) {
        Ok(accepted) => panic!("accepted as {accepted:?}"),
        Err(WireError::Polluted { .. } | WireError::PreambleTooLong { .. }) => "polluted",
        Err(WireError::BadLength(_)) => "bad_length",
        Err(WireError::Codec(CodecError::TooShort { .. })) => "too_short",
        Err(WireError::Codec(CodecError::Malformed { .. })) => "malformed",
        Err(WireError::Codec(CodecError::TrailingBytes { .. })) => "trailing_bytes",
        Err(error @ (WireError::Truncated { .. } | WireError::Json(_))) => panic!("{error}"),
    }
}

#[test]
fn every_negative_vector_is_refused_for_its_reason() {
    for vector in read::<Negative>("rejected.json") {
        let stream = hex::decode(&vector.hex);
        match vector.direction {
            Direction::ToSupervisor => {
                assert_eq!(refusal::<ToSupervisor>(&stream), vector.error, "{}", vector.name);
            }
            Direction::ToWorker => {
                let mut body = Vec::new();
                match read_body(&mut stream.as_slice(), &mut body) {
                    Ok(_) => assert_eq!(refusal::<ToWorker>(&stream), vector.error, "{}", vector.name),
                    Err(error) => assert_eq!(vector.error, "bad_length", "{}: {error}", vector.name),
                }
            }
        }
    }
}

#[test]
fn every_sample_is_refused_when_cut_or_extended() {
    fn check<M: ProtocolMessage + std::fmt::Debug>(direction: Direction, samples: Vec<(String, M)>) {
        for (name, message) in samples {
            for vector in broken(direction, &name, &message) {
                assert_eq!(refusal::<M>(&hex::decode(&vector.hex)), vector.error, "{}", vector.name);
            }
        }
    }
    check(Direction::ToSupervisor, samples::to_supervisor());
    check(Direction::ToWorker, samples::to_worker());
}

#[test]
fn messages_of_later_versions_are_skipped_in_both_spellings() {
    fn check<M: ProtocolMessage>(vector: &Positive) {
        let body = &hex::decode(&vector.hex)[4..];
        assert!(matches!(decode::<M>(body).unwrap(), Decoded::Unknown { .. }), "{}", vector.name);
        let line = json::from_line::<M>(vector.json.get()).unwrap();
        assert!(matches!(line, Decoded::Unknown { .. }), "{}", vector.name);
        let mut stream = BytesMut::from(hex::decode(&vector.hex).as_slice());
        let incoming = WireDecoder::decided(Spelling::Binary).next::<M>(&mut stream).unwrap();
        assert!(matches!(incoming, Some(Incoming::Message(Decoded::Unknown { .. }))), "{}", vector.name);
    }
    for vector in read::<Positive>("skipped.json") {
        match vector.direction {
            Direction::ToSupervisor => check::<ToSupervisor>(&vector),
            Direction::ToWorker => check::<ToWorker>(&vector),
        }
    }
}
