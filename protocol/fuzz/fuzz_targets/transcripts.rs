//! Files of transcripts: what is read is written, and the same when it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_protocol::transcript::Transcript;

fuzz_target!(|text: &str| {
    if let Ok(transcript) = Transcript::parse(text) {
        let written = transcript.to_text().expect("what was read can be written");
        let again = Transcript::parse(&written).expect("what was written can be read");
        assert_eq!(again.to_text().expect("and written again"), written);
        assert_eq!(again.entries.len(), transcript.entries.len());
    }
});
