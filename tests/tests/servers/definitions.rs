//! What is defined counts at once on every supervisor, however it was changed.

use std::time::{Duration, Instant};

use muster_tests::{Backends, Installation, Record, Services, TestSupervisor, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
/// How long a change may take to count everywhere.
const AT_ONCE: Duration = Duration::from_secs(1);
const READ: &str = "export default async (params, ctx) => await ctx.config.get('region');\n";

/// A supervisor that runs what waits in a queue of its own, so that it is known who runs what.
fn serving(backends: &Backends, queue: &str) -> (Installation, TestSupervisor) {
    let installation =
        Installation::new().backends(backends).setting("queue", queue).workflow("read.js", READ);
    let supervisor = installation.start();
    (installation, supervisor)
}

fn region(supervisor: &TestSupervisor, request: &Value) -> Value {
    let client = supervisor.client();
    let row = client.finished(&client.submit(request), SOON);
    assert_eq!(row["status"], "SUCCESS", "{row}");
    row["result"].clone()
}

/// Waits until both see it, and says how long that took.
fn both_see(supervisors: [&TestSupervisor; 2], request: &Value, value: &str) -> Duration {
    let begun = Instant::now();
    for supervisor in supervisors {
        eventually("the change is seen", SOON, || region(supervisor, request) == value);
    }
    begun.elapsed()
}

#[test]
fn a_change_is_seen_by_every_supervisor_within_a_second() {
    let backends = Services::shared().fresh();
    let (_one, first) = serving(&backends, "first");
    let (_two, second) = serving(&backends, "second");
    let put = |path: &str, body: &Value| assert_eq!(first.client().put(path, body).status, 200, "{path}");
    put("/api/variables/region", &json!({ "value": "north" }));
    put("/api/workflows/named", &json!({ "path": "read.js" }));
    let workflow = first.client().get("/api/workflows/named").body["id"].clone();
    // By its id, the row of the workflow is shared too.
    let request = json!({ "workflow_id": workflow });
    both_see([&first, &second], &request, "north");

    put("/api/variables/region", &json!({ "value": "south" }));
    let seen = both_see([&first, &second], &request, "south");
    assert!(seen < AT_ONCE, "over HTTP: {seen:?}");

    Record::of(&backends).execute("UPDATE config_entries SET value = '\"east\"' WHERE key = 'region'");
    let seen = both_see([&first, &second], &request, "east");
    assert!(seen < AT_ONCE, "by SQL: {seen:?}");

    put("/api/workflows/named", &json!({ "path": "read.js", "is_active": false }));
    let begun = Instant::now();
    for supervisor in [&first, &second] {
        let client = supervisor.client();
        eventually("the workflow is gone", SOON, || {
            client.finished(&client.submit(&request), SOON)["error_type"] == "WorkflowNotFound"
        });
    }
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[test]
fn no_digit_of_a_number_is_lost_on_the_way_out_and_back() {
    let backends = Services::shared().fresh();
    let (shared, _first) = serving(&backends, "shared");
    let embedded = Installation::new();
    let _second = embedded.start();
    let file = shared.path("exported.toml");
    let file = file.to_str().unwrap();
    let told = |of: &Installation, arguments: &[&str]| {
        let output = of.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for number in ["12345678901234567890123", "12345678901234567890124", "18446744073709551616", "1e22"] {
        let changed = told(&shared, &["variable", "set", "big", number]);
        assert!(!changed.contains("nothing to change"), "{number}: {changed}");
        assert_eq!(told(&shared, &["variable", "set", "big", number]), "nothing to change\n");
        let params = format!("{{\"n\":{number}}}");
        told(
            &shared,
            &["schedule", "set", "s", "--workflow", "read", "--cron", "@daily", "--params", &params],
        );

        std::fs::write(file, told(&shared, &["export"])).unwrap();
        assert_eq!(told(&shared, &["apply", file]), "nothing to change\n");
        told(&embedded, &["apply", file]);
        assert_eq!(told(&embedded, &["export"]), told(&shared, &["export"]));
        let kept = |of: &Installation| told(of, &["variable", "show", "big"]);
        assert_eq!(kept(&embedded), kept(&shared));
        let schedule = told(&embedded, &["schedule", "show", "s"]);
        // A double is the same one, however it is written.
        assert!(number == "1e22" || schedule.contains(number), "{schedule}");
    }
}
