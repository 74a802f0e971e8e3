//! What an execution costs in instructions, counted by valgrind: a change that makes the hot path longer shows here, on a
//! busy machine as on a quiet one.
//!
//! The programs are those of the debug build, in which SQLite, the codec and JSON are optimised and the rest is not, so
//! the numbers say whether there is more to do than before, and not how long it takes. A count may be larger or smaller
//! than the one in `golden.txt` by [`TOLERANCE`]; `MUSTER_BLESS=1` writes it anew, which is a change to be explained.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "valgrind starts what it counts, and no worker")]

use std::fmt::Write as _;
use std::process::Command;

use muster_tests::binaries;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/instructions/golden.txt");
const HEAD: &str = "# Instructions for each execution, by work. Written by the test with MUSTER_BLESS=1.\n";
/// From one run to the next a count differs by less than a thousandth; from one C compiler to the next by more.
const TOLERANCE: f64 = 0.03;
/// What is measured is the difference between so many executions and so many more.
const FEW: u64 = 320;
const MORE: u64 = 960;

#[test]
fn an_execution_takes_no_more_instructions_than_before() {
    let counts = ["pool", "claim", "finalize"].map(|work| (work, instructions_for_each(work)));
    if std::env::var_os("MUSTER_BLESS").is_some() {
        let lines = counts.iter().fold(HEAD.to_owned(), |mut text, (work, count)| {
            writeln!(text, "{work} {count}").unwrap();
            text
        });
        return std::fs::write(GOLDEN, lines).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("MUSTER_BLESS=1 writes it");
    for (work, count) in counts {
        let known = golden.lines().find_map(|line| line.strip_prefix(work)?.strip_prefix(' '));
        let known: u64 =
            known.unwrap_or_else(|| panic!("{work} has no line: MUSTER_BLESS=1 writes it")).parse().unwrap();
        let ratio = count as f64 / known as f64;
        assert!(
            (ratio - 1.0).abs() <= TOLERANCE,
            "{work} takes {count} instructions for each execution and took {known}, {ratio:.2} times as many. If that is \
             meant, MUSTER_BLESS=1 writes it down, and the commit says why"
        );
    }
}

fn instructions_for_each(work: &str) -> u64 {
    let (few, more) = (instructions(work, FEW), instructions(work, FEW + MORE));
    (more - few) / MORE
}

/// How many instructions a run with so many executions takes, in all threads.
fn instructions(work: &str, executions: u64) -> u64 {
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binaries::bench())
        .args(["instructions", work, "--executions", &executions.to_string()])
        .output()
        .expect("valgrind is needed: apt-get install -y valgrind");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let counted =
        said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    counted.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("valgrind counted nothing: {said}"))
}
