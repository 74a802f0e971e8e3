//! SPEC.md is tested: every frame and line in it is byte for byte the golden vector of its name.

use std::collections::BTreeSet;

use muster_protocol::{ToSupervisor, ToWorker, error_type, feature, limits};

use crate::vectors::{Positive, read};

const SPECIFICATION: &str = include_str!("../../SPEC.md");

/// The blocks fenced with this language and a name: each as its name and its text.
fn blocks(language: &str) -> Vec<(&'static str, &'static str)> {
    let fence = format!("\n```{language} ");
    let blocks = SPECIFICATION.split(&fence).skip(1).map(|block| {
        let (name, rest) = block.split_once('\n').unwrap();
        (name.trim(), rest.split_once("\n```").unwrap().0)
    });
    blocks.collect()
}

fn vectors() -> Vec<Positive> {
    [read("to_supervisor.json"), read("to_worker.json")].concat()
}

fn vector<'a>(vectors: &'a [Positive], name: &str) -> &'a Positive {
    let found = vectors.iter().find(|vector| vector.name == name);
    found.unwrap_or_else(|| panic!("SPEC.md shows {name}, which is no golden vector"))
}

#[test]
fn annotated_frames_are_the_golden_vectors() {
    let vectors = vectors();
    for (name, block) in blocks("frame") {
        let bytes = block.lines().map(|line| line.split('|').next().unwrap());
        let digits: String = bytes.flat_map(str::chars).filter(|digit| !digit.is_whitespace()).collect();
        assert_eq!(digits, vector(&vectors, name).hex, "the frame {name} in SPEC.md");
    }
}

#[test]
fn lines_of_json_are_the_golden_vectors() {
    let vectors = vectors();
    for (name, line) in blocks("line") {
        assert_eq!(line, vector(&vectors, name).json.get(), "the line {name} in SPEC.md");
    }
}

#[test]
fn every_message_is_shown_in_both_spellings() {
    for language in ["frame", "line"] {
        let shown: BTreeSet<_> =
            blocks(language).iter().map(|(name, _)| name.split('.').next().unwrap()).collect();
        for name in ToSupervisor::NAMES.iter().chain(&ToWorker::NAMES) {
            assert!(shown.contains(name), "SPEC.md shows no {language} of {name}");
        }
    }
}

#[test]
fn limits_are_the_ones_in_the_code() {
    for (shown, limit) in [
        ("16,777,215 bytes", limits::FRAME_MAX_BYTES == 16_777_215),
        ("64 KiB of text", limits::PREAMBLE_MAX_BYTES == 64 * 1024),
        ("64 KiB, 256 records or 100 ms", limits::LOG_BATCH_MAX_RECORDS == 256),
        ("the first 12 and the last 4", limits::RUN_LOGS_HEAD_MAX_BYTES == 12 * 1024 * 1024),
        ("at most 16 MiB, 10,000 workflows", limits::DESCRIPTIONS_MAX_BYTES == 16 * 1024 * 1024),
        ("10,000 broken files", limits::DESCRIBED_MAX == 10_000),
        ("schema at most 64 KiB", limits::SCHEMA_MAX_BYTES == 64 * 1024),
        ("it shares with others, at most 4", limits::DECLARED_LIMITS_MAX == 4),
        ("At most 64 Calls", limits::CALLS_IN_FLIGHT_MAX == 64),
    ] {
        assert!(SPECIFICATION.contains(shown) && limit, "SPEC.md and limits.rs differ on: {shown}");
    }
    for name in error_type::RESERVED {
        assert!(SPECIFICATION.contains(&format!("`{name}`")), "SPEC.md does not name {name}");
    }
    for name in feature::ALL {
        assert!(SPECIFICATION.contains(&format!("| `{name}` |")), "SPEC.md does not explain {name}");
    }
}
