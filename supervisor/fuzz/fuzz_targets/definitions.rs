//! A file of definitions: what is read is written, and the same when it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_supervisor::definitions::file::{parse, render};

fuzz_target!(|text: &str| {
    match parse("muster.toml", text) {
        Ok((read, _)) => {
            let written = render(&read).expect("what was read can be written");
            let (again, _) = parse("again.toml", &written).expect("what was written can be read");
            assert_eq!(render(&again).expect("and written again"), written);
        }
        Err(refusal) => assert!(!refusal.0.is_empty() && refusal.0.iter().all(|one| !one.is_empty())),
    }
});
