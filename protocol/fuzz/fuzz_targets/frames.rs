//! Bodies of frames, in both directions: what is read is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_protocol::codec::{Decoded, ProtocolMessage, decode, decode_shared, encode_into};
use muster_protocol::{ToSupervisor, ToWorker};

fn read_and_write_back<M: ProtocolMessage + PartialEq + std::fmt::Debug>(body: &[u8]) {
    let shared = decode_shared::<M>(&bytes::Bytes::copy_from_slice(body));
    match decode::<M>(body) {
        Ok(Decoded::Message(message)) => {
            let mut written = Vec::new();
            encode_into(&message, &mut written).expect("what was read can be written");
            assert_eq!(written, body);
            assert_eq!(shared.expect("shared or not, it is the same"), Decoded::Message(message));
        }
        Ok(Decoded::Unknown { .. }) => {}
        Err(_) => assert!(shared.is_err()),
    }
}

fuzz_target!(|body: &[u8]| {
    read_and_write_back::<ToSupervisor>(body);
    read_and_write_back::<ToWorker>(body);
});
