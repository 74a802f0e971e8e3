//! The table in `supervisor/CONFINEMENT.md`: made by the tries, and held by them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use muster_system::confinement::KernelFacts;
use muster_tests::binaries::repository;

use crate::world::{Language, StartedBy, World};

const PAGE: &str = "supervisor/CONFINEMENT.md";
const BEGIN: &str = "<!-- made by tests/tests/confinement; MUSTER_BLESS=1 makes it anew -->";

/// Outcomes by who starts it and the level, in the order of the columns.
type Column = (StartedBy, &'static str);
/// What came of a try, in the columns there are.
type Row = (String, BTreeMap<usize, String>);

fn columns() -> Vec<Column> {
    StartedBy::ALL.into_iter().flat_map(|by| by.levels().iter().map(move |level| (by, *level))).collect()
}

/// The tries that Landlock refuses, and from which version on.
fn needed_abi(try_name: &str) -> i32 {
    if try_name.starts_with("signal ") || try_name.contains("abstract") { 6 } else { 2 }
}

/// What no level may take from a worker.
fn is_needed(try_name: &str) -> bool {
    ["into its temporary folder", "of worker_ports", "of worker_paths_rw"]
        .iter()
        .any(|part| try_name.contains(part))
}

#[test]
fn what_workers_can_reach_is_what_the_page_says_python() {
    hold(Language::Python);
}

#[test]
fn what_workers_can_reach_is_what_the_page_says_python_template() {
    hold(Language::PythonTemplate);
}

#[test]
fn what_workers_can_reach_is_what_the_page_says_node() {
    hold(Language::Node);
}

#[test]
fn what_workers_can_reach_is_what_the_page_says_javascript() {
    hold(Language::JavaScript);
}

fn hold(language: Language) {
    let abi = KernelFacts::read().landlock_abi;
    let rows = tried(language, abi);
    for (name, outcomes) in &rows {
        for outcome in outcomes.values() {
            assert!(["allowed", "refused"].contains(&outcome.as_str()), "{name}: {outcome}");
        }
    }
    if std::env::var_os("MUSTER_BLESS").is_some() {
        assert!(
            rustix::process::geteuid().is_root() && abi >= 6,
            "the page is made by root, with all of Landlock"
        );
        return bless(language, &rows, abi);
    }
    let known = section(&read_page(), language);
    let mut wrong = Vec::new();
    for (name, outcomes) in &rows {
        for (column, outcome) in outcomes {
            let (by, level) = columns()[*column];
            let told = known.get(name).and_then(|cells| cells.get(*column)).map(String::as_str);
            if told == Some(outcome.as_str()) {
                continue;
            }
            let line = format!("{name}, {}, {level}: {outcome}, and the page says {told:?}", by.title());
            if told == Some("refused") && abi < needed_abi(name) {
                eprintln!("Landlock ABI {abi} does not offer it: {line}");
            } else if told == Some("allowed") && !is_needed(name) {
                eprintln!("this machine is stricter: {line}");
            } else {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "(MUSTER_BLESS=1 makes {PAGE} anew)\n{}", wrong.join("\n"));
}

/// Tries everything in every way that is possible here.
fn tried(language: Language, abi: i32) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (column, (by, level)) in columns().into_iter().enumerate() {
        if !by.is_possible() || (level == "strict" && abi < 6) {
            eprintln!("not tried: started by {}, {level} (Landlock ABI {abi})", by.title());
            continue;
        }
        for (name, outcome) in World::start(by, level, language).outcomes() {
            match rows.iter_mut().find(|(known, _)| *known == name) {
                Some((_, outcomes)) => {
                    outcomes.insert(column, outcome);
                }
                None => rows.push((name, BTreeMap::from([(column, outcome)]))),
            }
        }
    }
    rows
}

fn read_page() -> String {
    fs::read_to_string(repository(PAGE)).unwrap_or_default()
}

/// The cells of a language's table by the try they are of.
fn section(page: &str, language: Language) -> BTreeMap<String, Vec<String>> {
    let title = format!("### {}\n", language.title());
    let Some((_, after)) = page.split_once(&title) else { return BTreeMap::new() };
    let lines = after.lines().take_while(|line| !line.starts_with("### "));
    let rows = lines.filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|line| {
        let mut cells =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('*').to_owned());
        (cells.next().unwrap_or_default(), cells.collect())
    })
    .collect()
}

/// Writes one language's table, and leaves the others as they are.
fn bless(language: Language, rows: &[Row], abi: i32) {
    let lock = fs::File::create(std::env::temp_dir().join("muster-confinement-page")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let page = read_page();
    let (text, tables) = page.split_once(BEGIN).unwrap_or((&page, ""));
    let mut out = format!("{text}{BEGIN}\n\nLinux {}, Landlock ABI {abi}, x86-64{}.\n", kernel(), lacking());
    for one in Language::ALL {
        out.push_str(&format!("\n### {}\n\n", one.title()));
        if one == language {
            out.push_str(&table(rows));
        } else {
            let title = format!("### {}\n", one.title());
            let after = tables.split_once(&title).map_or("", |(_, after)| after);
            let kept = after.lines().take_while(|line| !line.starts_with("### ")).collect::<Vec<_>>();
            out.push_str(kept.join("\n").trim());
            out.push('\n');
        }
    }
    fs::write(repository(PAGE), out).unwrap();
}

fn table(rows: &[Row]) -> String {
    let columns = columns();
    let heads: Vec<String> = columns.iter().map(|(by, level)| format!("{}: {level}", by.title())).collect();
    let mut text = format!("| try | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(columns.len()));
    for (name, outcomes) in rows {
        let cells = (0..columns.len()).map(|column| match outcomes.get(&column).map(String::as_str) {
            // What is closed is what one looks for.
            Some("refused") => "**refused**".to_owned(),
            other => other.unwrap_or("").to_owned(),
        });
        text.push_str(&format!("| {name} | {} |\n", cells.collect::<Vec<_>>().join(" | ")));
    }
    text
}

/// What root has not here, and has elsewhere.
fn lacking() -> &'static str {
    if KernelFacts::read().holds_oom_score {
        ""
    } else {
        "; root without CAP_SYS_RESOURCE, as in many containers"
    }
}

fn kernel() -> String {
    let output = Command::new("uname").arg("-r").output().unwrap();
    let release = String::from_utf8_lossy(&output.stdout);
    release.trim().split('-').next().unwrap_or_default().to_owned()
}
