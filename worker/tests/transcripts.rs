//! Transcripts of version 1 stay in the tree: every later worker must be able to replay them.
#![expect(clippy::disallowed_methods, reason = "a test starts the worker without a supervisor")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name)
}

#[test]
fn a_transcript_of_version_1_does_the_same_again() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg("replay")
        .arg(here("version_1.jsonl"))
        .arg("--workflows-dir")
        .arg(here("workflows"))
        .env_remove("MUSTER_PROTOCOL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the same again: Failed RangeError: 11 is over the limit of order 1"), "{said}");
}
