//! Schedules where clocks change: the one on the wall, at the nights of this year, and the database's, which all supervisors go by
//! and which somebody sets back and forward.

use std::time::Duration;

use muster_tests::{Backends, Installation, REQUEST, Record, Services, TestSupervisor, eventually};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);
const TELL: &str = "export default async (_, ctx) => ctx.startup.scheduled_for;\n";

/// Servers whose database has a clock that can be set.
fn backends() -> (Services, Backends, Record) {
    let services = Services::shared();
    let backends = services.fresh();
    let record = Record::of(&backends);
    record.execute(
        "CREATE SCHEMA other; \
         CREATE TABLE other.clock (ahead interval NOT NULL); \
         INSERT INTO other.clock VALUES ('0'); \
         CREATE FUNCTION other.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
             $$ SELECT pg_catalog.clock_timestamp() + ahead FROM other.clock $$; \
         DO $$ BEGIN EXECUTE format( \
             'ALTER DATABASE %I SET search_path = public, other, pg_catalog', current_database() \
         ); END $$",
    );
    // A connection goes by the clock there was when it was made.
    let record = Record::of(&backends);
    (services, backends, record)
}

fn set_clock(record: &Record, moment: &str) {
    record.execute(&format!(
        "UPDATE other.clock SET ahead = '{moment}'::timestamptz - pg_catalog.clock_timestamp()"
    ));
}

/// Waits until the clock shows this.
fn until(record: &Record, moment: &str) {
    eventually(moment, SOON, || {
        record.count(&format!("other.clock WHERE clock_timestamp() > '{moment}'")) == 1
    });
}

fn start(backends: &Backends) -> (Installation, TestSupervisor) {
    let installation =
        Installation::new().backends(backends).setting("lease_seconds", 5).workflow("tell.js", TELL);
    let supervisor = installation.start();
    (installation, supervisor)
}

fn schedule(supervisor: &TestSupervisor, name: &str, cron: &str, zone: &str, missed: &str) {
    let body = json!({ "workflow": "tell", "cron": cron, "time_zone": zone, "missed": missed });
    let answer = supervisor.client().put(&format!("/api/schedules/{name}"), &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// When this schedule ticks next; the empty text before anybody looked.
fn next_at(supervisor: &TestSupervisor, name: &str) -> String {
    let shown = supervisor.client().get(&format!("/api/schedules/{name}")).body;
    shown["next_at"].as_str().unwrap_or_default().to_owned()
}

/// The ticks that were run and are over, by the moments they were for.
fn ran(record: &Record) -> Vec<String> {
    let rows = record.select(&format!(
        "SELECT (request->'startup'->>'schedule') || ' ' || (request->'startup'->>'scheduled_for') AS tick \
         FROM (SELECT {REQUEST} AS request FROM executions WHERE completed_at IS NOT NULL) AS ticks \
         ORDER BY request->'startup'->>'scheduled_for'",
    ));
    rows.iter().map(|row| row["tick"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn ticks_come_as_promised_at_the_nights_of_this_year() {
    let (_services, backends, record) = backends();
    set_clock(&record, "2026-03-07T12:00:00Z");
    let (_one, supervisor) = start(&backends);
    for (name, cron, zone) in [
        ("new_york", "30 2 * * *", "America/New_York"),
        ("berlin", "30 2 * * *", "Europe/Berlin"),
        ("lord_howe", "45 1 * * *", "Australia/Lord_Howe"),
        ("santiago", "0 0 * * *", "America/Santiago"),
        ("chatham", "0 3 * * *", "Pacific/Chatham"),
    ] {
        schedule(&supervisor, name, cron, zone, "skip");
        eventually(name, SOON, || !next_at(&supervisor, name).is_empty());
    }
    // Three seconds before, and what comes; then around where it would come again, and what comes next instead.
    let nights = [
        // 02:00 to 03:00 is not there: at 03:00.
        ("new_york", ["2026-03-08T06:59:57Z", "2026-03-08T07:00:00Z"], None),
        ("berlin", ["2026-03-29T00:59:57Z", "2026-03-29T01:00:00Z"], None),
        // 01:30 to 02:00 comes twice: at the first.
        (
            "lord_howe",
            ["2026-04-04T14:44:57Z", "2026-04-04T14:45:00Z"],
            Some(["2026-04-04T15:14:58Z", "2026-04-04T15:15:02Z", "2026-04-05T15:15:00Z"]),
        ),
        // Midnight is not there: at one.
        ("santiago", ["2026-09-06T03:59:57Z", "2026-09-06T04:00:00Z"], None),
        // 02:45 to 03:45 is not there.
        ("chatham", ["2026-09-26T13:59:57Z", "2026-09-26T14:00:00Z"], None),
        // 02:00 to 03:00 comes twice.
        (
            "berlin",
            ["2026-10-25T00:29:57Z", "2026-10-25T00:30:00Z"],
            Some(["2026-10-25T01:29:58Z", "2026-10-25T01:30:02Z", "2026-10-26T01:30:00Z"]),
        ),
    ];
    let mut expected = Vec::new();
    for (name, [before, moment], again) in nights {
        set_clock(&record, before);
        expected.push(format!("{name} {moment}"));
        eventually(moment, SOON, || ran(&record) == expected);
        if let Some([before, after, next]) = again {
            set_clock(&record, before);
            until(&record, after);
            assert_eq!((next_at(&supervisor, name), ran(&record)), (next.to_owned(), expected.clone()));
        }
    }
    assert_eq!(record.count("executions WHERE status <> 'SUCCESS' AND completed_at IS NOT NULL"), 0);
}

#[test]
fn a_clock_that_is_set_runs_no_tick_twice_and_stops_no_schedule() {
    let (_services, backends, record) = backends();
    set_clock(&record, "2026-06-01T12:00:50Z");
    let (_one, first) = start(&backends);
    let (_two, second) = start(&backends);
    let (_three, third) = start(&backends);
    schedule(&first, "often", "* * * * *", "UTC", "run_once");
    let comes = |moment: &str| {
        eventually(moment, SOON, || ran(&record).contains(&format!("often {moment}")));
    };
    comes("2026-06-01T12:01:00Z");
    // Back by half an hour: nothing runs again, and the next one is the one that would have been next.
    set_clock(&record, "2026-06-01T11:30:59Z");
    until(&record, "2026-06-01T11:31:02Z");
    assert_eq!(next_at(&third, "often"), "2026-06-01T12:02:00Z");
    // One dies meanwhile, at the tick.
    set_clock(&record, "2026-06-01T12:01:58Z");
    until(&record, "2026-06-01T12:01:59.5Z");
    first.kill();
    comes("2026-06-01T12:02:00Z");
    // Forward by a day: what did not come is made up for once.
    set_clock(&record, "2026-06-02T12:10:30Z");
    comes("2026-06-02T12:10:00Z");
    // Forward by a year, and back to where it was: it goes on from there, and not in a year.
    set_clock(&record, "2027-06-02T12:00:30Z");
    comes("2027-06-02T12:00:00Z");
    set_clock(&record, "2026-06-02T12:20:50Z");
    second.kill();
    comes("2026-06-02T12:21:00Z");
    let ticks = [
        "2026-06-01T12:01:00Z",
        "2026-06-01T12:02:00Z",
        "2026-06-02T12:10:00Z",
        "2026-06-02T12:21:00Z",
        "2027-06-02T12:00:00Z",
    ];
    let mut found = ran(&record);
    // A slow machine may see a minute more.
    let whole = found.len();
    found.dedup();
    assert_eq!(found.len(), whole, "twice: {found:?}");
    assert!(ticks.iter().all(|tick| found.contains(&format!("often {tick}"))), "{found:?}");
    assert!(third.log().contains("was set back by hours"));
}
