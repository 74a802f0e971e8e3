//! The decoder of a worker's stdout, case by case: first bytes, preamble, pollution, limits.

use bytes::BytesMut;
use muster_protocol::codec::{Decoded, EncodeError};
use muster_protocol::frame::{FrameError, append_frame, read_body};
use muster_protocol::limits::{FRAME_MAX_BYTES, PREAMBLE_MAX_BYTES};
use muster_protocol::wire::{Incoming, Piece, Spelling, WireDecoder, WireError};
use muster_protocol::{JsonBytes, RunMetrics, RunOutcome, ToSupervisor, json};

const STARTED: ToSupervisor = ToSupervisor::Started { run: 7 };
const JSON_HELLO: &[u8] = b"{\"Hello\":{\"protocol_min\":1,\"protocol_max\":1}}\n";

type Next = Result<Option<Incoming<ToSupervisor>>, WireError>;

fn next(decoder: &mut WireDecoder, input: &mut BytesMut) -> Next {
    decoder.next(input)
}

fn started(spelling: Spelling) -> Vec<u8> {
    let mut out = Vec::new();
    spelling.append(&STARTED, &mut out).unwrap();
    out
}

fn preamble(text: &str) -> Option<Incoming<ToSupervisor>> {
    Some(Incoming::Preamble(text.into()))
}

fn message(message: ToSupervisor) -> Option<Incoming<ToSupervisor>> {
    Some(Incoming::Message(Decoded::Message(message)))
}

#[test]
fn a_large_payload_is_the_frame_s_own_bytes_and_a_short_one_is_a_copy() {
    let result_of = |bytes: usize| {
        let result = JsonBytes::of(&"x".repeat(bytes));
        let outcome = RunOutcome::Succeeded { result };
        let finished =
            ToSupervisor::Finished { run: 7, outcome, metrics: RunMetrics::default(), log_records: 0 };
        let mut frame = Vec::new();
        Spelling::Binary.append(&finished, &mut frame).unwrap();
        let mut input = BytesMut::from(frame.as_slice());
        let held = input.as_ptr_range();
        let Some(Piece::Message(whole)) = WireDecoder::new().cut(&mut input).unwrap() else { panic!("cut") };
        assert!(whole.is_framed_end());
        let Decoded::Message(read) = whole.read::<ToSupervisor>().unwrap() else { panic!("known") };
        assert_eq!(read, finished);
        let ToSupervisor::Finished { outcome: RunOutcome::Succeeded { result }, .. } = read else { panic!() };
        held.contains(&result.0.as_ptr())
    };
    assert!(result_of(1 << 20));
    assert!(!result_of(100));
}

#[test]
fn text_without_a_line_end_may_stand_before_a_frame() {
    let mut input = BytesMut::from(&b"loading...\nalmost"[..]);
    input.extend_from_slice(&started(Spelling::Binary));
    let mut decoder = WireDecoder::new();
    assert_eq!(next(&mut decoder, &mut input).unwrap(), preamble("loading..."));
    assert_eq!(decoder.spelling(), None);
    assert_eq!(next(&mut decoder, &mut input).unwrap(), preamble("almost"));
    assert_eq!(next(&mut decoder, &mut input).unwrap(), message(STARTED));
    assert_eq!(decoder.spelling(), Some(Spelling::Binary));
}

#[test]
fn a_line_that_begins_with_hello_settles_json_lines() {
    let mut input = BytesMut::from(&b"{\"not\": \"hello\"}\n"[..]);
    input.extend_from_slice(JSON_HELLO);
    input.extend_from_slice(&started(Spelling::JsonLines));
    let mut decoder = WireDecoder::new();
    assert_eq!(next(&mut decoder, &mut input).unwrap(), preamble("{\"not\": \"hello\"}"));
    let hello = next(&mut decoder, &mut input).unwrap();
    assert!(matches!(hello, Some(Incoming::Message(Decoded::Message(ToSupervisor::Hello { .. })))));
    assert_eq!(decoder.spelling(), Some(Spelling::JsonLines));
    assert_eq!(next(&mut decoder, &mut input).unwrap(), message(STARTED));
}

#[test]
fn a_worker_that_only_prints_and_ends_leaves_its_last_words() {
    let mut input = BytesMut::from(&b"Traceback\nno module named muster"[..]);
    let mut decoder = WireDecoder::new();
    assert_eq!(next(&mut decoder, &mut input).unwrap(), preamble("Traceback"));
    assert_eq!(next(&mut decoder, &mut input).unwrap(), None);
    assert_eq!(decoder.end(&input).unwrap().as_deref(), Some("no module named muster"));
}

#[test]
fn a_preamble_above_its_limit_is_pollution_with_or_without_lines() {
    let lines = b"tick tock\n".repeat(PREAMBLE_MAX_BYTES / 10 + 1);
    let one_line = b"z".repeat(PREAMBLE_MAX_BYTES + 1);
    for text in [lines, one_line] {
        let (mut decoder, mut input) = (WireDecoder::new(), BytesMut::from(text.as_slice()));
        let error = loop {
            match next(&mut decoder, &mut input) {
                Ok(Some(Incoming::Preamble(_))) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, WireError::PreambleTooLong { .. }) && error.is_pollution(), "{error}");
    }
    let (mut decoder, mut input) = (WireDecoder::new(), BytesMut::from(&b"z".repeat(PREAMBLE_MAX_BYTES)[..]));
    assert_eq!(next(&mut decoder, &mut input).unwrap(), None, "the limit itself is allowed");
}

#[test]
fn stray_text_is_recognised_by_its_first_byte() {
    let mut input = BytesMut::from(started(Spelling::Binary).as_slice());
    input.extend_from_slice(b"o");
    let mut decoder = WireDecoder::new();
    assert_eq!(next(&mut decoder, &mut input).unwrap(), message(STARTED));
    let error = next(&mut decoder, &mut input).unwrap_err();
    assert!(matches!(&error, WireError::Polluted { quoted } if quoted == "o"), "{error}");
}

#[test]
fn a_hostile_length_is_refused_with_only_its_header_there() {
    for (header, polluted) in [([0, 0, 0, 0], false), ([0xff, 0xff, 0xff, 0xff], true)] {
        let mut decoder = WireDecoder::decided(Spelling::Binary);
        let error = next(&mut decoder, &mut BytesMut::from(&header[..])).unwrap_err();
        assert_eq!(error.is_pollution(), polluted, "{error}");
        let refused = read_body(&mut &header[..], &mut Vec::new()).unwrap_err();
        assert!(matches!(refused, FrameError::BadLength(_)), "{refused}");
    }
}

#[test]
fn blank_lines_cost_nothing_however_many() {
    let mut input = BytesMut::from(JSON_HELLO);
    input.extend_from_slice(&b"\r\n".repeat(500_000));
    input.extend_from_slice(&started(Spelling::JsonLines));
    let mut decoder = WireDecoder::new();
    next(&mut decoder, &mut input).unwrap();
    assert_eq!(next(&mut decoder, &mut input).unwrap(), message(STARTED));
    input.extend_from_slice(b"  \n ");
    assert_eq!(next(&mut decoder, &mut input).unwrap(), None);
    assert_eq!(decoder.end(&input).unwrap(), None);
}

#[test]
fn lines_that_are_no_messages_say_why() {
    let refused = |line: &[u8]| {
        next(&mut WireDecoder::decided(Spelling::JsonLines), &mut BytesMut::from(line)).unwrap_err()
    };
    assert!(refused(b"hello from a print\n").is_pollution());
    assert!(refused(b"\xff\xfe\n").is_pollution());
    assert!(matches!(refused(b"{\"Started\":{}}\n"), WireError::Json(_)));
    assert!(matches!(refused(b"{\"Started\":{\"run\":-1}}\n"), WireError::Json(_)));
    assert!(matches!(refused(b"{\"Started\":{\"run\":1},\"Idle\":{\"run\":1}}\n"), WireError::Json(_)));
    assert!(matches!(refused(b"{\"Goodbye\":{\"reason\":\"\xff\"}}\n"), WireError::Json(_)));
    let endless = refused(&b"{".repeat(FRAME_MAX_BYTES + 1));
    assert!(matches!(endless, WireError::BadLength(_)), "{endless}");
    let unknown_inside = r#"{"Finished":{"run":1,"outcome":{"Exploded":{}}}}"#;
    json::from_line::<ToSupervisor>(unknown_inside).unwrap_err();
}

#[test]
fn json_lines_leave_out_what_has_a_default() {
    let line = r#"{"Finished":{"run":7,"outcome":{"Failed":{"error":{"kind":"E"}}},"later":[1]}}"#;
    let Decoded::Message(ToSupervisor::Finished { run: 7, outcome: RunOutcome::Failed { error }, .. }) =
        json::from_line(line).unwrap()
    else {
        panic!("not a Finished")
    };
    assert_eq!((error.kind.as_str(), error.retryable), ("E", None));
    let null = r#"{"Finished":{"run":7,"outcome":{"Succeeded":{"result":null}}}}"#;
    let absent = r#"{"Finished":{"run":7,"outcome":{"Succeeded":{}}}}"#;
    let read = |line| json::from_line::<ToSupervisor>(line).unwrap();
    assert_eq!(read(null), read(absent));
}

#[test]
fn half_a_surrogate_pair_in_a_text_of_a_line_costs_nothing() {
    let read = |line| json::from_line::<ToSupervisor>(line).unwrap();
    let log = r#"{"Log":{"run":1,"records":[{"message":"cut \ud83d","fields":{"a":"\udc00","n":1.50}}]}}"#;
    let Decoded::Message(ToSupervisor::Log { records, .. }) = read(log) else { panic!("not a Log") };
    assert_eq!(records[0].message, "cut \u{fffd}");
    assert_eq!(records[0].fields, JsonBytes::from(br#"{"a":"\ufffd","n":1.50}"#.to_vec()));
    let failed = r#"{"Finished":{"run":1,"outcome":{"Failed":{"error":{"message":"\ude00 \ud83d\ude00"}}}}}"#;
    let Decoded::Message(ToSupervisor::Finished { outcome: RunOutcome::Failed { error }, .. }) = read(failed)
    else {
        panic!("not a Finished")
    };
    assert_eq!(error.message, "\u{fffd} \u{1f600}");
    // A result is no text for people: it stays as it was written, and is refused where results are checked.
    let result = r#"{"Finished":{"run":1,"outcome":{"Succeeded":{"result":"\ud83d"}}}}"#;
    let Decoded::Message(ToSupervisor::Finished { outcome: RunOutcome::Succeeded { result }, .. }) =
        read(result)
    else {
        panic!("not a Finished")
    };
    assert_eq!(result, JsonBytes::from(br#""\ud83d""#.to_vec()));
    assert_eq!(read(r#"{"Later\ud83d":{}}"#), Decoded::Unknown { name: "Later\u{fffd}".to_owned() });
    json::from_line::<ToSupervisor>(r#"{"Started":{"run":"\ud83d"}}"#).unwrap_err();
}

#[test]
fn json_of_many_lines_becomes_one_line_and_what_is_no_json_is_refused() {
    let finished = |text: &str| ToSupervisor::Finished {
        run: 1,
        outcome: RunOutcome::Succeeded { result: JsonBytes::from(text) },
        metrics: Default::default(),
        log_records: 0,
    };
    let line = json::to_line(&finished("{\n  \"a\": \"b\\nc\"\r\n}")).unwrap();
    assert!(line.contains(r#"{   "a": "b\nc"  }"#), "{line}");
    for text in ["{", "\"a\nb\"", "1 2", "nope"] {
        let mut out = b"before".to_vec();
        let refused = Spelling::JsonLines.append(&finished(text), &mut out).unwrap_err();
        assert!(matches!(refused, EncodeError::NotJson(_)), "{text}: {refused}");
        assert_eq!(out, b"before");
    }
}

#[test]
fn the_largest_frame_passes_and_one_byte_more_does_not() {
    // Goodbye is its index, the length of its text, and the text.
    let goodbye = |bytes: usize| ToSupervisor::Goodbye { reason: "x".repeat(bytes - 12) };
    let mut out = b"before".to_vec();
    let refused = append_frame(&goodbye(FRAME_MAX_BYTES + 1), &mut out).unwrap_err();
    assert!(matches!(refused, EncodeError::TooLarge { bytes } if bytes == FRAME_MAX_BYTES + 1), "{refused}");
    assert_eq!(out, b"before");

    let largest = goodbye(FRAME_MAX_BYTES);
    let mut input = BytesMut::new();
    let mut frame = Vec::new();
    append_frame(&largest, &mut frame).unwrap();
    input.extend_from_slice(&frame);
    let mut decoder = WireDecoder::decided(Spelling::Binary);
    assert_eq!(next(&mut decoder, &mut input).unwrap(), message(largest));
    assert_eq!(input.capacity(), 0, "a buffer that large is given back");
}

#[test]
fn an_honest_frame_full_of_small_things_is_decoded() {
    let ready = ToSupervisor::Ready { workflows: vec![String::new(); (FRAME_MAX_BYTES - 12) / 8] };
    let mut frame = Vec::new();
    append_frame(&ready, &mut frame).unwrap();
    let mut input = BytesMut::from(frame.as_slice());
    assert_eq!(next(&mut WireDecoder::decided(Spelling::Binary), &mut input).unwrap(), message(ready));
}

#[test]
fn a_blocking_reader_tells_the_end_from_a_break() {
    let frame = started(Spelling::Binary);
    for cut in 0..frame.len() {
        let result = read_body(&mut &frame[..cut], &mut Vec::new());
        match cut {
            0 => assert!(!result.unwrap()),
            1..4 => assert!(matches!(result, Err(FrameError::Truncated { missing }) if missing == 4 - cut)),
            _ => assert!(
                matches!(result, Err(FrameError::Truncated { missing }) if missing == frame.len() - cut)
            ),
        }
    }
}
