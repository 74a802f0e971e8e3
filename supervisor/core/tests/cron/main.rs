//! Lines of cron against two well-known libraries: `table.txt` holds what these say of hundreds of lines, zones and moments, and which
//! of our rules decides where they say something else. `generate.py` makes it, and larger ones: `MUSTER_CRON_TABLE` names another.
#![cfg(test)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use muster_core::schedule::{Cron, ScheduleTimes};

/// One line of the table.
struct AgreedCase<'a> {
    zone: &'a str,
    after: Timestamp,
    line: &'a str,
    moments: Vec<Timestamp>,
    /// What each library says, and which rule decides.
    said: Vec<&'a str>,
}

impl<'a> AgreedCase<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(" | ");
        let mut next = || parts.next().unwrap();
        let (zone, after, line, moments) = (next(), next(), next(), next());
        Self {
            zone,
            after: moment_of(after),
            line,
            moments: moments.split(", ").map(moment_of).collect(),
            said: parts.collect(),
        }
    }

    /// The same as ours finds them.
    fn found(&self) -> Vec<Timestamp> {
        let cron: Cron = self.line.parse().unwrap_or_else(|error| panic!("{}: {error}", self.line));
        let times = ScheduleTimes::new(cron, TimeZone::get(self.zone).unwrap());
        let next = |moment: &Timestamp| times.next_after(*moment);
        std::iter::successors(next(&self.after), next).take(self.moments.len()).collect()
    }
}

/// Moments are written without seconds.
fn moment_of(text: &str) -> Timestamp {
    let (minutes, offset) = text.split_at("2026-01-01T00:00".len());
    format!("{minutes}:00{offset}").parse().unwrap()
}

fn table() -> String {
    match std::env::var_os("MUSTER_CRON_TABLE") {
        Some(file) => std::fs::read_to_string(file).unwrap(),
        None => include_str!("table.txt").to_owned(),
    }
}

#[test]
fn moments_are_those_that_libraries_and_rules_say() {
    let table = table();
    let cases: Vec<AgreedCase<'_>> =
        table.lines().filter(|line| !line.starts_with('#')).map(AgreedCase::read).collect();
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| case.found() != case.moments)
        .map(|case| {
            format!(
                "{} {} after {}: {:?}, not {:?}",
                case.zone,
                case.line,
                case.after,
                case.found(),
                case.moments
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What the table is worth: most cases both libraries agree with, and each that one does not has a rule.
#[test]
fn the_table_has_every_kind_of_night_and_a_rule_for_every_dispute() {
    let table = include_str!("table.txt");
    let (mut zones, mut rules) = (BTreeMap::<&str, u32>::new(), BTreeMap::<&str, u32>::new());
    let (mut agreed, mut cases) = (0, 0);
    for case in table.lines().filter(|line| !line.starts_with('#')).map(AgreedCase::read) {
        cases += 1;
        *zones.entry(case.zone).or_default() += 1;
        let rule = case.said.iter().find_map(|said| said.strip_prefix('[')?.strip_suffix(']'));
        match rule {
            Some(rule) => *rules.entry(rule).or_default() += 1,
            None => agreed += 1,
        }
        assert_eq!(rule.is_none(), case.said == ["croniter =", "cronsim ="], "{:?}", case.said);
    }
    for zone in
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham", "America/Santiago"]
    {
        assert!(zones[zone] >= 30, "{zones:?}");
    }
    assert!(cases >= 300 && agreed * 10 >= cases * 8, "{agreed} of {cases}");
    for rule in ["days", "gap", "half", "range", "running", "twice"] {
        assert!(rules.contains_key(rule) && table.contains(&format!("# [{rule}]: ")), "{rule}: {rules:?}");
    }
    assert_eq!(rules.len(), 6, "{rules:?}");
}
