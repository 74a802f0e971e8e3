//! A corpus of JSON texts through every way in, both stores and four workers: what comes back is the same text, the
//! same value, or there is a refusal with a name. `golden.txt` is the table of it; a changed value is never golden.
//!
//! `MUSTER_BLESS=1` writes the table anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod texts;
mod ways;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use muster_protocol::compare::{is_json, is_same_value};
use muster_tests::Installation;
use muster_tests::binaries::repository;
use ways::{Fate, Fates};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/values/golden.txt");
const HEAD: &str = "\
# What becomes of JSON texts in an echo, by worker. A cell holds for all ways in and both stores, unless it names the
# way. Written by the test with MUSTER_BLESS=1.
";

type Make = fn(Installation) -> Installation;

const WORKERS: [(&str, Make); 4] =
    [("javascript", javascript), ("python", python), ("node", node), ("bash", bash)];

fn javascript(installation: Installation) -> Installation {
    installation.workflow("echo.js", "export default (params) => params;\n")
}

fn python(installation: Installation) -> Installation {
    let path = format!("PYTHONPATH={}", repository("worker/python").display());
    let echo = "from muster_worker import workflow\n@workflow\ndef echo(params):\n    return params\n";
    installation
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", path)
        .workflow("echo.py", echo)
}

fn node(installation: Installation) -> Installation {
    let command = repository("worker/node/bin/muster-worker").display().to_string();
    installation.worker([command]).workflow("echo.js", "export default (params) => params;\n")
}

fn bash(installation: Installation) -> Installation {
    installation.worker([repository("tests/workers/lines.sh").display().to_string()])
}

/// The word for what became of a text.
fn verdict(given: &str, fate: &Fate) -> String {
    match fate {
        Fate::NotSent => "not sent".to_owned(),
        Fate::AtTheDoor => "refused at the door".to_owned(),
        Fate::Failed(kind) => format!("refused: {kind}"),
        Fate::Result(result) if result == given && is_json(given) => "same bytes".to_owned(),
        Fate::Result(result) if is_same_value(given, result) => "same value".to_owned(),
        Fate::Result(result) => format!("CHANGED to {}", result.chars().take(60).collect::<String>()),
    }
}

/// One word when all ways agree, else each way with its own.
fn cell(given: &str, place: usize, ways: &[(&'static str, Fates)]) -> String {
    let mut by_verdict: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (way, fates) in ways {
        let verdict = verdict(given, &fates[place]);
        if verdict != "not sent" {
            by_verdict.entry(verdict).or_default().push(way);
        }
    }
    let told = |(verdict, ways): (&String, &Vec<&str>)| format!("{verdict} ({})", ways.join("; "));
    match by_verdict.len() {
        1 => by_verdict.into_keys().collect(),
        _ => by_verdict.iter().map(told).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn a_value_is_the_same_everywhere_or_refused_by_name() {
    let texts = &texts::all();
    let columns: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> =
            WORKERS.iter().map(|(_, make)| scope.spawn(move || ways::all(make, texts))).collect();
        running.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut table = HEAD.to_owned();
    for (place, text) in texts.iter().enumerate() {
        writeln!(table, "\n{}", text.name).unwrap();
        for ((worker, _), ways) in WORKERS.iter().zip(&columns) {
            writeln!(table, "    {worker:<11} {}", cell(&text.json, place, ways)).unwrap();
        }
    }
    let changed: Vec<_> = table.split("\n\n").filter(|row| row.contains("CHANGED")).collect();
    assert!(changed.is_empty(), "{} texts were changed:\n\n{}", changed.len(), changed.join("\n\n"));
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    if std::env::var_os("MUSTER_BLESS").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
        return;
    }
    let rows = |table: &str| table.split("\n\n").map(|row| row.trim().to_owned()).collect::<Vec<_>>();
    let (was, is) = (rows(&golden), rows(&table));
    let other: Vec<_> = is.iter().filter(|row| !was.contains(row)).cloned().collect();
    assert!(was == is, "not as in golden.txt:\n\n{}", other.join("\n\n"));
}
