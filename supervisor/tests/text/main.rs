//! What the sources themselves must hold: a type name means one thing, statements name their columns, and user data is
//! text from end to end: no source makes a tree of JSON, but for those named here with their reason.

#![expect(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use muster_core::execution::DeliveryInvariant;
use muster_core::invariant::Invariant;
use muster_core::pool::PoolInvariant;
use muster_intake::rabbitmq::consumer::ConsumerInvariant;

/// The packages of the supervisor, from its folder.
const PACKAGES: [&str; 11] = [
    "src",
    "api/src",
    "conformance/src",
    "console/src",
    "core/src",
    "system/src",
    "executor/src",
    "store/src",
    "bus/src",
    "intake/src",
    "settings/src",
];

/// What makes or takes a tree of JSON, or rewrites what it is given.
const WORDS: [&str; 6] =
    ["json!", "to_value(", "from_value(", "serde_json::Value", "serde_json::{", "Map<String, Value"];

/// Files that may, and what they put in a tree instead of user data.
const NAMED: [(&str, &str); 19] = [
    ("src/cli/check_worker.rs", "the kit's own lines"),
    ("src/cli/doctor.rs", "findings"),
    ("console/src/follow.rs", "how many lines a gap has"),
    (
        "console/src/mcp/calls.rs",
        "what an assistant gives, a tree already; what would not be exact in one is refused",
    ),
    ("src/cli/migrate.rs", "versions"),
    ("console/src/reload.rs", "nothing: an empty body"),
    ("console/src/status.rs", "readiness and pool"),
    ("conformance/src/", "the kit's own parameters, made here"),
    ("executor/src/deaths.rs", "the supervisor's own events"),
    ("executor/src/effects.rs", "the supervisor's own events"),
    ("executor/src/descendants.rs", "the supervisor's own events"),
    ("executor/src/run.rs", "the supervisor's own events"),
    ("core/src/execution/secrets", "secrets, which are looked for and never passed on"),
    ("src/http/logs.rs", "the end of a stream, and gaps in it"),
    ("src/http/socket.rs", "the words for a bad wish"),
    ("src/service/core.rs", "what a worker is welcomed with"),
    ("src/dispatch/run_reporter.rs", "progress: two numbers and a text"),
    ("settings/src/show.rs", "settings"),
    ("store/src/decide.rs", "the details of closing events"),
];

pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a source that are no comments and come before its tests.
pub(crate) fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]\nmod tests {")
        .take(1)
        .flat_map(str::lines)
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn no_source_makes_a_tree_of_user_data() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for package in PACKAGES {
        sources(&root.join(package), &mut files);
    }
    assert!(files.len() > 150, "the sources are elsewhere: {}", root.display());
    let (mut offenders, mut needed) = (Vec::new(), BTreeSet::new());
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let named = NAMED.iter().find(|(prefix, _)| name.starts_with(prefix));
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        for line in code(&text).filter(|line| WORDS.iter().any(|word| line.contains(word))) {
            match named {
                Some((prefix, _)) => drop(needed.insert(*prefix)),
                None if is_test => {}
                None => offenders.push(format!("{name}: {}", line.trim())),
            }
        }
    }
    assert!(
        offenders.is_empty(),
        "pass JSON on as text (RawValue), or name the file here:\n{}",
        offenders.join("\n")
    );
    let idle: Vec<_> =
        NAMED.iter().map(|(prefix, _)| *prefix).filter(|prefix| !needed.contains(prefix)).collect();
    assert!(idle.is_empty(), "named without need: {idle:?}");
}

#[test]
fn no_statement_leaves_its_columns_to_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("store/src");
    for folder in [
        "postgres/sql",
        "postgres/sql/list",
        "postgres/sql/statistics",
        "sqlite/sql",
        "sqlite/sql/list",
        "sqlite/sql/statistics",
    ] {
        let files = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        for path in files.filter(|path| path.is_file()) {
            let sql = std::fs::read_to_string(&path).unwrap().to_uppercase();
            let words: Vec<&str> = sql.split_whitespace().collect();
            let star = words.windows(2).any(|pair| matches!(pair, ["SELECT" | "RETURNING", "*"]));
            assert!(
                !star,
                "{}: name the columns, or an added one breaks it where it is prepared",
                path.display()
            );
        }
    }
}

/// The name of the type that a line at the margin declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub").map_or(line, |rest| {
        let rest =
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
        rest.trim_start()
    });
    let rest =
        ["struct ", "enum ", "trait ", "type ", "union "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    rest.split(|character: char| !character.is_alphanumeric() && character != '_').next()
}

#[test]
fn a_type_name_means_one_thing_in_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    let ours = PACKAGES.map(|package| format!("supervisor/{package}"));
    for package in
        ["protocol/src", "worker/src", "tests/src"].into_iter().chain(ours.iter().map(String::as_str))
    {
        sources(&root.join(package), &mut files);
    }
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in &files {
        // What stands in for a part that is left out of a build has its names.
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("without_")) {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        for name in text.lines().filter_map(declared) {
            let place = file.strip_prefix(root).unwrap().display().to_string();
            places.entry(name.to_owned()).or_default().push(place);
        }
    }
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "one word, two meanings: {places:#?}");
}

/// The invariants of one part: their ids, the page that has them, and the tests that look at each.
fn assert_named<I: Invariant>(page: &str, prefix: &str, tests: Option<&str>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(page)).unwrap();
    let named: BTreeSet<&str> = text.split('`').filter(|word| word.starts_with(prefix)).collect();
    let ids: BTreeSet<&str> = I::ALL.iter().copied().map(Invariant::id).collect();
    assert_eq!(named, ids, "{page} and the code name other invariants");
    let Some(folder) = tests else { return };
    let mut files = Vec::new();
    sources(&root.join(folder), &mut files);
    let tests: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let unseen: Vec<_> =
        I::ALL.iter().filter(|one| !tests.contains(&format!("Invariant::{one:?}"))).collect();
    assert!(unseen.is_empty(), "nothing in {folder} looks at {unseen:?}");
}

#[test]
fn pages_simulations_and_code_name_the_same_invariants() {
    assert_named::<PoolInvariant>("core/src/pool/LIFECYCLE.md", "pool.", Some("core/tests/pool/simulation"));
    let page = "intake/src/rabbitmq/consumer/CONSUMER.md";
    assert_named::<ConsumerInvariant>(page, "consumer.", Some("intake/tests/consumer/simulation"));
    assert_named::<DeliveryInvariant>("../CONTRIBUTING.md", "delivery.", None);
}

/// The invariants that a text names, such as `PoolInvariant::OneRun`.
fn invariants_in(text: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
    text.match_indices("Invariant::")
        .map(|(at, _)| {
            let part: String = text[..at].chars().rev().take_while(|c| c.is_alphanumeric()).collect();
            let part: String = part.chars().rev().collect();
            format!("{part}Invariant::{}", word(&text[at + "Invariant::".len()..]))
        })
        .collect()
}

#[test]
fn the_metric_shows_the_invariants_that_are_looked_at_in_production() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for package in PACKAGES {
        sources(&root.join(package), &mut files);
    }
    let mut looked_at = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with("core/src/invariant.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        for check in text.split("check_invariant!(").skip(1) {
            looked_at.extend(invariants_in(check.split(");").next().unwrap()));
        }
    }
    let watched = std::fs::read_to_string(root.join("src/observe/metrics/watched.rs")).unwrap();
    let mut shown = invariants_in(&watched);
    // The trait, not an enum.
    shown.remove("Invariant::id");
    assert_eq!(shown, looked_at);
}
