//! What a batch holds in memory does not grow with the number of its lines.

use std::fs::File;
use std::process::Stdio;

use muster_tests::Installation;

use crate::workflows::installed;

/// What every line may add is far above this: an execution that stayed in memory, with its five lines of log, took 3.7 KB.
const GROWTH_MAX_BYTES: u64 = 24 * 1024 * 1024;

/// The most memory the supervisor of a batch of so many lines ever held.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the harness looks at the process while it runs")]
fn peak_bytes(installation: &Installation, lines: usize) -> u64 {
    let line = "{\"workflow\":\"chatty\",\"params\":{\"count\":5,\"width\":40}}\n";
    std::fs::write(installation.path("batch.jsonl"), line.repeat(lines)).unwrap();
    let out = || Stdio::from(File::create(installation.path("out.jsonl")).unwrap());
    let mut batch = installation.command(&["batch", "batch.jsonl", "--max-workers", "2"]);
    let mut batch = batch.stdin(Stdio::null()).stdout(out()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(muster_tests::process::peak_bytes(batch.id()));
        if let Some(status) = batch.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(status.success(), "{status}");
    let results = std::fs::read_to_string(installation.path("out.jsonl")).unwrap();
    assert_eq!(results.lines().count(), lines);
    peak
}

#[test]
fn a_batch_of_more_lines_needs_no_more_memory() {
    let installation = installed();
    let few = peak_bytes(&installation, 5_000);
    let many = peak_bytes(&installation, 20_000);
    assert!(many < few + GROWTH_MAX_BYTES, "{few} bytes for 5,000 lines, {many} for 20,000");
}
