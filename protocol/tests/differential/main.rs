//! Three decoders, one protocol: what ours accepts the Python and the Node SDK's accept, as the same message, and they
//! refuse what it refuses.
//!
//! The inputs are the golden vectors, broken by chance. `MUSTER_DIFFERENTIAL_SEED=17` makes the same ones again, and
//! `MUSTER_DIFFERENTIAL_INPUTS=1000000` more of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod chance;
mod inputs;
mod speakers;
mod twice;

use std::fmt::Write as _;

use chance::Chance;
use inputs::{Input, Vectors};

const INPUTS: u64 = 20_000;
const SHOWN_MAX: usize = 20;

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

#[test]
fn every_decoder_says_the_same_of_every_input() {
    let clock = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let seed = number_from("MUSTER_DIFFERENTIAL_SEED").unwrap_or(u64::try_from(clock).unwrap_or_default());
    let count = number_from("MUSTER_DIFFERENTIAL_INPUTS").unwrap_or(INPUTS);
    println!("MUSTER_DIFFERENTIAL_SEED={seed}");
    let vectors = Vectors::read();
    let mut chance = Chance::new(seed);
    let mut left = count;
    while left > 0 {
        let some = left.min(INPUTS);
        let inputs: Vec<Input> = (0..some).map(|_| vectors.broken(&mut chance)).collect();
        compare(&inputs, seed);
        left -= some;
    }
}

/// What was found once, and the vectors as they are.
#[test]
fn every_decoder_says_the_same_of_what_was_found_before() {
    let found = include_str!("found.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let inputs: Vec<Input> = found.map(Input::parse).chain(Vectors::read().whole()).collect();
    compare(&inputs, 0);
}

fn compare(inputs: &[Input], seed: u64) {
    let ours: Vec<String> = inputs.iter().map(speakers::ours).collect();
    let mut differences = String::new();
    let mut count = 0;
    for (name, theirs) in [("Python", speakers::python(inputs)), ("Node", speakers::node(inputs))] {
        assert_eq!(theirs.len(), inputs.len(), "{name} answers each input");
        for ((input, ours), theirs) in inputs.iter().zip(&ours).zip(&theirs) {
            if !speakers::agree(name, input, ours, theirs) {
                count += 1;
                if count <= SHOWN_MAX {
                    writeln!(differences, "{}\n  Rust   {ours}\n  {name:6} {theirs}", input.line()).unwrap();
                }
            }
        }
    }
    assert!(count == 0, "MUSTER_DIFFERENTIAL_SEED={seed}: {count} differences, some of them:\n{differences}");
}
