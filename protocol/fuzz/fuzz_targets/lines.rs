//! Lines of JSON, in both directions: what is read is a line, and the same message when it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_protocol::codec::{Decoded, ProtocolMessage};
use muster_protocol::json::{from_line, to_line};
use muster_protocol::{ToSupervisor, ToWorker};

fn read_and_write_back<M: ProtocolMessage + PartialEq + std::fmt::Debug>(line: &str) {
    if let Ok(Decoded::Message(message)) = from_line::<M>(line) {
        let written = to_line(&message).expect("what was read can be written");
        assert!(!written.contains(['\n', '\r']), "{written:?} is one line");
        let again = from_line::<M>(&written).expect("what was written can be read");
        let Decoded::Message(again) = again else { panic!("{written:?} is no later message") };
        assert_eq!(to_line(&again).expect("and written again"), written);
    }
}

fuzz_target!(|line: &str| {
    read_and_write_back::<ToSupervisor>(line);
    read_and_write_back::<ToWorker>(line);
});
