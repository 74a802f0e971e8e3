//! Properties: what is written is read back, however it is chopped; garbage is an error and never a panic.

use std::fmt::Debug;

use bytes::BytesMut;
use muster_protocol::codec::{Decoded, ProtocolMessage, decode};
use muster_protocol::frame::read_body;
use muster_protocol::wire::{Incoming, Spelling, WireDecoder, WireError};
use muster_protocol::{ToSupervisor, ToWorker, json};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategies;

/// The first word of a worker, which settles the spelling.
fn hello() -> ToSupervisor {
    ToSupervisor::Hello {
        protocol_min: 1,
        protocol_max: 1,
        implementation: "test".into(),
        implementation_version: String::new(),
        language: String::new(),
        pid: 1,
        features: Vec::new(),
    }
}

fn written<M: ProtocolMessage>(spelling: Spelling, messages: &[M]) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        spelling.append(message, &mut stream).unwrap();
    }
    stream
}

/// Feeds the stream in chunks of the given sizes, over and over, and gives all that comes out.
fn fed<M: ProtocolMessage>(
    mut decoder: WireDecoder,
    stream: &[u8],
    chunks: &[usize],
) -> Result<Vec<Incoming<M>>, WireError> {
    let (mut input, mut rest, mut incoming) = (BytesMut::new(), stream, Vec::new());
    for &chunk in chunks.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(chunk.min(rest.len()));
        input.extend_from_slice(now);
        rest = later;
        while let Some(one) = decoder.next(&mut input)? {
            incoming.push(one);
        }
    }
    incoming.extend(decoder.end(&input)?.map(Incoming::Preamble));
    Ok(incoming)
}

fn messages<M>(messages: Vec<M>) -> Vec<Incoming<M>> {
    messages.into_iter().map(|message| Incoming::Message(Decoded::Message(message))).collect()
}

fn both_ways<M: ProtocolMessage + PartialEq + Debug>(message: &M) {
    let mut stream = written(Spelling::Binary, std::slice::from_ref(message));
    let mut body = Vec::new();
    assert!(read_body(&mut stream.as_slice(), &mut body).unwrap());
    let Decoded::Message(back) = decode::<M>(&body).unwrap() else { panic!("not known") };
    assert_eq!(&back, message);
    assert_eq!(written(Spelling::Binary, &[back]), stream);

    stream = written(Spelling::JsonLines, std::slice::from_ref(message));
    let line = std::str::from_utf8(&stream).unwrap();
    assert_eq!(line.find('\n'), Some(line.len() - 1), "a message is one line");
    let Decoded::Message(back) = json::from_line::<M>(line).unwrap() else { panic!("not known") };
    assert_eq!(&back, message);
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![Just(Spelling::Binary), Just(Spelling::JsonLines)]
}

proptest! {
    #[test]
    fn messages_to_the_supervisor_survive_both_spellings(message in strategies::to_supervisor()) {
        both_ways(&message);
    }

    #[test]
    fn messages_to_the_worker_survive_both_spellings(message in strategies::to_worker()) {
        both_ways(&message);
    }

    #[test]
    fn chunks_of_any_size_give_the_same_messages(
        spelling in spelling(),
        said in vec(strategies::to_supervisor(), 0..6),
        preamble in vec("[a-zA-Z{ ]{0,30}", 0..4),
        chunks in vec(1..200_usize, 1..8),
    ) {
        let said: Vec<_> = [hello()].into_iter().chain(said).collect();
        let mut stream: Vec<u8> = preamble.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
        stream.extend(written(spelling, &said));
        let expected: Vec<_> =
            preamble.iter().map(|line| Incoming::Preamble(line.trim_end().to_owned())).chain(messages(said)).collect();
        prop_assert_eq!(fed(WireDecoder::new(), &stream, &chunks).unwrap(), expected);
    }

    #[test]
    fn a_stream_that_breaks_off_gives_what_came_whole(
        spelling in spelling(),
        said in vec(strategies::to_worker(), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = written(spelling, &said);
        let cut = cut.index(stream.len());
        let whole = (0..said.len()).take_while(|&n| written(spelling, &said[..=n]).len() <= cut).count();
        let mut input = BytesMut::from(&stream[..cut]);
        let mut decoder = WireDecoder::decided(spelling);
        for message in &said[..whole] {
            let expected = Incoming::Message(Decoded::Message(message.clone()));
            prop_assert_eq!(decoder.next::<ToWorker>(&mut input).unwrap(), Some(expected));
        }
        prop_assert_eq!(decoder.next::<ToWorker>(&mut input).unwrap(), None);
        prop_assert_eq!(decoder.end(&input).is_err(), cut > written(spelling, &said[..whole]).len());
    }

    #[test]
    fn stray_text_between_messages_is_pollution(
        spelling in spelling(),
        said in vec(strategies::to_supervisor(), 0..4),
        stray in "[a-z]{1,400}",
        chunks in vec(1..200_usize, 1..8),
    ) {
        let said: Vec<_> = [hello()].into_iter().chain(said).collect();
        let mut stream = written(spelling, &said);
        stream.extend_from_slice(stray.as_bytes());
        stream.push(b'\n');
        let error = fed::<ToSupervisor>(WireDecoder::new(), &stream, &chunks).unwrap_err();
        prop_assert!(error.is_pollution(), "{}", error);
        let WireError::Polluted { quoted } = error else { panic!("{error}") };
        prop_assert!(quoted.len() <= 256 && stray.starts_with(quoted.trim_end()));
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic(
        garbage in vec(any::<u8>(), 0..2000),
        chunks in vec(1..200_usize, 1..8),
    ) {
        let _ = decode::<ToSupervisor>(&garbage);
        let _ = decode::<ToWorker>(&garbage);
        let _ = fed::<ToSupervisor>(WireDecoder::new(), &garbage, &chunks);
        for spelling in [Spelling::Binary, Spelling::JsonLines] {
            let _ = fed::<ToWorker>(WireDecoder::decided(spelling), &garbage, &chunks);
        }
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_another_message_and_never_a_panic(
        message in strategies::to_supervisor(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut body = written(Spelling::Binary, &[message])[4..].to_vec();
        let at = at.index(body.len());
        body[at] ^= flip;
        if let Ok(Decoded::Message(other)) = decode::<ToSupervisor>(&body) {
            prop_assert_eq!(&written(Spelling::Binary, &[other])[4..], body.as_slice());
        }
    }
}
