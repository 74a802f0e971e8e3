//! Each tick of a schedule is one execution, whoever dies at it.

use std::time::{Duration, Instant};

use muster_tests::{Backends, Installation, REQUEST, Record, Services, TestSupervisor, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const TELL: &str = "export default async (params, ctx) => ({ startup: ctx.startup, params });\n";

fn start(backends: &Backends) -> (Installation, TestSupervisor) {
    let installation =
        Installation::new().backends(backends).setting("lease_seconds", 1).workflow("tell.js", TELL);
    let supervisor = installation.start();
    (installation, supervisor)
}

#[track_caller]
fn put(supervisor: &TestSupervisor, name: &str, body: &Value) {
    let answer = supervisor.client().put(&format!("/api/schedules/{name}"), body);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn has_next(supervisor: &TestSupervisor, name: &str) {
    eventually("the next tick is known", SOON, || {
        supervisor.client().get(&format!("/api/schedules/{name}")).body["next_at"].is_string()
    });
}

/// Lets the schedules stand at the tick of so many minutes ago, as if nobody had been up since.
fn stand_at(record: &Record, minutes_ago: u32) {
    record.execute(&format!(
        "UPDATE schedules SET next_at = date_trunc('minute', clock_timestamp()) - interval '{minutes_ago} minutes', \
         due_at = clock_timestamp()"
    ));
}

#[test]
fn ticks_are_run_once_each_though_three_supervisors_look_and_two_are_killed_at_it() {
    const SCHEDULES: u64 = 40;
    const MINUTES: u32 = 9;
    let backends = Services::shared().fresh();
    let record = Record::of(&backends);
    let (_one, first) = start(&backends);
    let (_two, second) = start(&backends);
    let (_three, third) = start(&backends);
    let names: Vec<String> = (0..SCHEDULES).map(|n| format!("s{n}")).collect();
    for name in &names {
        let body = json!({ "workflow": "tell", "cron": "* * * * *", "overlap": "allow", "missed": "run_all",
            "parameters": { "name": name } });
        put(&first, name, &body);
    }
    names.iter().for_each(|name| has_next(&third, name));
    record.execute("DELETE FROM executions");
    stand_at(&record, MINUTES);
    eventually("the first ticks are there", SOON, || record.count("executions") >= SCHEDULES);
    first.kill();
    eventually("and some more", SOON, || record.count("executions") >= 2 * SCHEDULES);
    second.kill();
    let expected = SCHEDULES * u64::from(MINUTES + 1);
    let open = || record.count("executions WHERE completed_at IS NULL");
    eventually("every tick has its execution, and all are over", SOON, || {
        record.count("executions") >= expected && open() == 0
    });
    // Of each schedule from the first moment on every one, without a gap, and each once.
    let wrong = record.select(&format!(
        "SELECT * FROM (SELECT request->'parameters'->>'name' AS name, count(*) AS n, count(DISTINCT at) AS moments, \
             extract(epoch FROM max(at) - min(at)) / 60 + 1 AS span \
         FROM (SELECT {REQUEST} AS request FROM executions) AS ticks, \
             LATERAL (SELECT (request->'startup'->>'scheduled_for')::timestamptz AS at) AS tick \
         GROUP BY 1) AS schedule WHERE n <> moments OR n <> span OR n < {MINUTES} + 1"
    ));
    assert!(wrong.is_empty(), "{wrong:?}");
    // A minute may have begun since, and its ticks with it.
    assert_eq!(record.count("executions WHERE completed_at IS NOT NULL AND status <> 'SUCCESS'"), 0);
    let row = &record.select("SELECT result FROM executions WHERE result IS NOT NULL LIMIT 1")[0]["result"];
    assert!(row["startup"]["scheduled_for"].as_str().unwrap().ends_with(":00Z"), "{row}");
    assert!(third.terminate(SOON).success());
}

#[test]
fn pause_resume_run_now_and_overlap() {
    let backends = Services::shared().fresh();
    let record = Record::of(&backends);
    let (_one, supervisor) = start(&backends);
    let client = supervisor.client();
    put(&supervisor, "yearly", &json!({ "workflow": "tell", "cron": "@yearly" }));
    has_next(&supervisor, "yearly");
    let made = client.post("/api/schedules/yearly/run", &json!({}));
    assert_eq!(made.status, 202, "{}", made.body);
    let row = client.finished(made.body["execution_id"].as_str().unwrap(), SOON);
    assert_eq!(
        (&row["status"], &row["result"]["startup"]["schedule"]),
        (&json!("SUCCESS"), &json!("yearly"))
    );

    assert_eq!(client.post("/api/schedules/yearly/pause", &json!({})).status, 200);
    assert!(client.get("/api/schedules/yearly").body["next_at"].is_null());
    assert_eq!(client.post("/api/schedules/yearly/resume", &json!({})).status, 200);
    has_next(&supervisor, "yearly");

    // Its execution before is not over: the tick is noted and not run.
    record.execute(
        "UPDATE schedules SET last_execution = '00000000-0000-0000-0000-00000000000a'; \
         INSERT INTO executions (id, status, run_after, created_at) \
         VALUES ('00000000-0000-0000-0000-00000000000a', 'PENDING', now() + interval '1 day', now())",
    );
    stand_at(&record, 0);
    eventually("the tick is skipped", SOON, || {
        client.get("/api/schedules/yearly").body["last_outcome"]
            == "skipped: the execution before was not over"
    });
    assert_eq!(record.count("executions"), 2);
}

#[test]
fn a_run_by_hand_hides_no_execution_that_is_not_over() {
    const WAITS: &str = "00000000-0000-0000-0000-00000000000a";
    let backends = Services::shared().fresh();
    let record = Record::of(&backends);
    let (_one, supervisor) = start(&backends);
    let client = supervisor.client();
    put(&supervisor, "yearly", &json!({ "workflow": "tell", "cron": "@yearly" }));
    has_next(&supervisor, "yearly");
    record.execute(&format!(
        "UPDATE schedules SET last_execution = '{WAITS}'; INSERT INTO executions (id, status, run_after, created_at) \
         VALUES ('{WAITS}', 'PENDING', now() + interval '1 day', now())"
    ));
    let made = client.post("/api/schedules/yearly/run", &json!({}));
    client.finished(made.body["execution_id"].as_str().unwrap(), SOON);
    assert_eq!(client.get("/api/schedules/yearly").body["last_execution"], made.body["execution_id"]);
    stand_at(&record, 0);
    eventually("the tick is skipped", SOON, || {
        client.get("/api/schedules/yearly").body["last_outcome"]
            == "skipped: the execution before was not over"
    });
    assert_eq!(record.count("executions"), 2);

    // And it is replaced, though another came after it.
    put(&supervisor, "yearly", &json!({ "workflow": "tell", "cron": "@yearly", "overlap": "replace" }));
    stand_at(&record, 0);
    eventually("the tick is run", SOON, || client.get("/api/schedules/yearly").body["last_outcome"] == "run");
    assert_eq!(client.get(&format!("/api/executions/{WAITS}")).body["status"], "CANCELLED");
    assert_eq!(record.count("executions"), 3);
}

#[test]
fn a_tick_comes_at_its_moment() {
    let backends = Services::shared().fresh();
    let record = Record::of(&backends);
    let (_one, supervisor) = start(&backends);
    put(&supervisor, "often", &json!({ "workflow": "tell", "cron": "@yearly" }));
    has_next(&supervisor, "often");
    record.execute("UPDATE schedules SET due_at = clock_timestamp() + interval '1500 milliseconds', next_at = clock_timestamp()");
    let begun = Instant::now();
    let late = eventually("the tick has come", SOON, || {
        record.select(&format!(
            "SELECT (extract(epoch from created_at - \
             ({REQUEST}->'startup'->>'scheduled_for')::timestamptz) * 1000 - 1500)::float8 AS ms FROM executions",
        )).pop()
    });
    assert!(begun.elapsed() < SOON);
    let late = late["ms"].as_f64().unwrap();
    assert!((0.0..500.0).contains(&late), "{late} ms late");
}
