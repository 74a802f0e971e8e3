//! The page for operators: every line that the sources log at WARN or ERROR is on it.

use std::collections::BTreeSet;
use std::path::Path;

use super::{PACKAGES, code, sources};

/// Lines whose whole text is made elsewhere: what a wall of confinement lacks, and a doubt about the settings.
const MADE_ELSEWHERE: [&str; 2] = ["{}", "{doubt}"];

/// The last text of each such call: its message. Where a line ends in a backslash it goes on with the next word.
fn messages(source: &str) -> Vec<String> {
    // With and without its path, and no other macro that ends so.
    let calls = ["warn!(", "error!("];
    let is_whole =
        |at: usize| !source[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let begins = calls.iter().flat_map(|call| source.match_indices(call));
    let begins = begins.filter(|(at, _)| is_whole(*at)).map(|(at, call)| at + call.len());
    begins.filter_map(|at| message(&source[at..])).collect()
}

fn message(arguments: &str) -> Option<String> {
    let (mut depth, mut last, mut text) = (1, None, None::<String>);
    let mut letters = arguments.chars();
    while depth > 0 {
        let letter = letters.next()?;
        match (&mut text, letter) {
            (Some(_), '"') => last = text.take(),
            (Some(text), '\\') => match letters.next()? {
                '\n' => {
                    let rest = letters.as_str().trim_start();
                    letters = rest.chars();
                }
                escaped => text.push(escaped),
            },
            (Some(text), letter) => text.push(letter),
            (None, '"') => text = Some(String::new()),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    last
}

#[test]
fn every_line_that_warns_is_explained_to_operators() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("OPERATIONS.md")).unwrap();
    let (_, page) = page.split_once("\n## Lines at WARN and ERROR\n").unwrap();
    let mut files = Vec::new();
    for package in PACKAGES {
        sources(&root.join(package), &mut files);
    }
    // A line may be long; the page has as much of it as is searched for.
    let mut listed: Vec<(&str, bool)> = (page.lines().filter_map(|line| line.strip_prefix("| `")))
        .filter_map(|row| Some((row.split('`').next()?, false)))
        .collect();
    let mut missing = Vec::new();
    let mut found = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = code(&text).collect();
        for message in messages(&lines.join("\n")) {
            found += 1;
            let row = listed.iter_mut().find(|(row, _)| message.starts_with(*row));
            match row {
                Some((_, is_used)) => *is_used = true,
                None if MADE_ELSEWHERE.contains(&message.as_str()) => {}
                None => missing.push(format!("{}: {message}", file.display())),
            }
        }
    }
    let unused: Vec<&str> = listed.iter().filter(|(_, is_used)| !is_used).map(|(row, _)| *row).collect();
    assert!(unused.is_empty(), "no source says these any more: {unused:#?}");
    assert!(found > 60, "the calls are written otherwise: {found}");
    assert!(missing.is_empty(), "not in supervisor/OPERATIONS.md:\n{}", missing.join("\n"));
}

#[test]
fn the_metrics_to_be_woken_by_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("OPERATIONS.md")).unwrap();
    let metrics = std::fs::read_to_string(root.join("../tests/tests/names/metrics.txt")).unwrap();
    let names: BTreeSet<&str> = metrics.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let asked: BTreeSet<&str> = (page.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_'))
        .filter(|word| word.starts_with("muster_"))
        .collect();
    assert!(asked.len() > 5, "{asked:?}");
    assert_eq!(asked.difference(&names).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn a_message_is_read_over_its_lines() {
    let source = "tracing::warn!(%error, name = \"x\", \"a (\\\n      b {c}\");\ntracing::error!(\"d\")";
    assert_eq!(messages(source), ["a (b {c}", "d"]);
}
