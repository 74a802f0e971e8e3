//! Many things at once: how much is read for them.

use std::fmt::Write as _;

use muster_store::Definitions;

use super::super::DefinitionWish;
use super::super::file::{parse, render};
use super::super::planner::rows_read;
use super::super::whole;
use super::applied;

#[test]
fn the_lines_of_a_large_file_are_found_in_one_reading() {
    const SCHEDULES: usize = 20_000;
    let mut file = String::new();
    for number in 0..SCHEDULES {
        let comment = "# ".repeat(40);
        file.push_str(&format!(
            "{comment}\n[schedules.n{number}]\nworkflow = \"w\"\ncron = \"1 2 * * *\"\noverlap = \"skip\"\n"
        ));
    }
    let (wanted, places) = parse("f", &file).unwrap();
    assert_eq!(wanted.schedules.len(), SCHEDULES);
    for (number, line) in [(0, 4), (7, 39), (SCHEDULES - 1, SCHEDULES * 5 - 1)] {
        let problem = format!("schedules.n{number}.cron: is wrong");
        assert_eq!(places.locate(&problem), format!("f:{line}: {problem}"));
    }
}

/// A file of so many things of each kind, which name one another.
fn many(count: usize) -> String {
    let mut file = String::new();
    for number in 0..count {
        write!(
            file,
            r#"
[organizations.o{number}]
[limits.l{number}]
total = 2
[webhooks.h{number}]
url = "https://example.com/{number}"
[workflows.w{number}]
organization = "o{number}"
limits = ["l{number}"]
webhook = "h{number}"
[schedules.s{number}]
workflow = "w{number}"
organization = "o{number}"
cron = "1 2 * * *"
[config.o{number}]
key = {number}
"#
        )
        .unwrap();
    }
    file
}

#[test]
fn a_plan_reads_a_few_rows_for_each_thing_however_many_there_are() {
    // Reads for each thing that is made, is so already, is changed, and is removed.
    let reads = |count: usize| {
        let (file, mut read) = (many(count), Vec::new());
        let mut rows = Definitions::default();
        for (file, prune) in [
            (file.clone(), true),
            (file.clone(), true),
            (file.replace("1 2", "3 4"), true),
            (String::new(), true),
        ] {
            let (wanted, _) = parse("f", &file).unwrap();
            let edits = DefinitionWish::Whole { wanted, prune }.edits(&rows);
            read.push(rows_read(&rows, &edits) / count);
            rows = applied(rows, &file, prune);
        }
        read
    };
    let (few, many) = (reads(30), reads(300));
    assert_eq!(few, many, "for each of 30, and for each of 300");
    assert!(few.iter().all(|reads| *reads < 40), "{few:?}");
}

#[test]
fn hundreds_of_things_are_exported_and_applied_as_the_same() {
    let rows = applied(Definitions::default(), &many(200), false);
    let exported = render(&whole(&rows)).unwrap();
    let again = applied(Definitions::default(), &exported, true);
    assert_eq!(render(&whole(&again)).unwrap(), exported);
    assert_eq!((again.workflows.len(), again.schedules.len(), again.limits.len()), (200, 200, 200));
}
