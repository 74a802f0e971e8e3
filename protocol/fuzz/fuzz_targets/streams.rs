//! The bytes of a worker's stdout, as they come in portions: wherever they are cut, the same messages are in them.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use muster_protocol::ToSupervisor;
use muster_protocol::wire::WireDecoder;

fn read(portions: &[&[u8]]) -> Vec<String> {
    let (mut decoder, mut input, mut seen) = (WireDecoder::new(), BytesMut::new(), Vec::new());
    for portion in portions {
        input.extend_from_slice(portion);
        loop {
            match decoder.next::<ToSupervisor>(&mut input) {
                Ok(Some(incoming)) => seen.push(format!("{incoming:?}")),
                Ok(None) => break,
                Err(_) => {
                    seen.push("broken".to_owned());
                    return seen;
                }
            }
        }
    }
    seen
}

fuzz_target!(|given: (u16, &[u8])| {
    let (at, stream) = given;
    let (first, second) = stream.split_at(usize::from(at) % (stream.len() + 1));
    let messages = |seen: Vec<String>| -> Vec<String> {
        seen.into_iter().filter(|one| one.starts_with("Message")).collect()
    };
    assert_eq!(messages(read(&[stream])), messages(read(&[first, second])));
});
