//! What the code declares is enforced by the supervisor: limits, retries and parameters, in each language.

use std::time::Duration;

use muster_tests::binaries::repository;
use muster_tests::{Installation, TestClient};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

const PYTHON: &str = r#"
import time
from muster_worker import context, workflow

class Fatal(Exception): pass

@workflow(timeout=1)
def stubborn():
    "Swallows whatever should end it."
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            time.sleep(0.1)
        except BaseException:
            pass

@workflow(timeout=30, max_concurrent=2, key="organization", queue="slow")
def patient():
    time.sleep(1.5)
    return "done"

@workflow(retries=2, backoff=0.01, give_up_on=Fatal)
def shaky(fatal: bool = False):
    if fatal:
        raise Fatal("no use")
    if context.attempt < 3:
        raise RuntimeError("again")
    return context.attempt

@workflow
def typed(day: str, count: int):
    return count

@workflow
def parent():
    try:
        context.submit("typed", {"day": 1})
    except Exception as error:
        return str(error)
"#;

const SCRIPTS: [(&str, &str); 5] = [
    (
        "stubborn.js",
        "export const muster = { timeout: 1 };\nexport default async () => { while (true) {} };\n",
    ),
    (
        "patient.js",
        "export const muster = { timeout: 30, maxConcurrent: 2, key: 'organization', queue: 'slow' };\n\
         export default async (params, ctx) => { await ctx.sleep(1500); return 'done'; };\n",
    ),
    (
        "shaky.js",
        "export const muster = { retries: 2, backoff: 0.01, giveUpOn: ['Fatal'] };\n\
         class Fatal extends Error {}\n\
         export default async (params, ctx) => {\n\
           if (params.fatal) throw new Fatal('no use');\n\
           if (ctx.attempt < 3) throw new RangeError('again');\n\
           return ctx.attempt;\n\
         };\n",
    ),
    (
        "typed.js",
        "export const muster = { parameters: { type: 'object', required: ['day', 'count'], additionalProperties: false,\n\
           properties: { day: { type: 'string' }, count: { type: 'integer' } } } };\n\
         export default async (params) => params.count;\n",
    ),
    (
        "parent.js",
        "export default async (params, ctx) => {\n\
           try { await ctx.submit('typed', { day: 1 }); } catch (error) { return String(error); }\n\
         };\n",
    ),
];

fn python() -> Installation {
    let path = format!("PYTHONPATH={}", repository("worker/python").display());
    Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", path)
        .workflow("jobs.py", PYTHON)
}

fn scripts() -> Installation {
    SCRIPTS.iter().fold(Installation::new(), |installation, (file, text)| installation.workflow(file, text))
}

fn node() -> Installation {
    scripts().worker([repository("worker/node/bin/muster-worker").display().to_string()])
}

fn short(installation: Installation) -> Installation {
    // Code says where some of it waits, so somebody must serve that queue, too.
    let served = installation.setting("queues", "workflow-executions slow");
    served.setting("execution_timeout_seconds", 1).setting("graceful_shutdown_seconds", 1)
}

/// Runs it to its end.
#[track_caller]
fn ends(client: &TestClient, request: Value) -> Value {
    client.finished(&client.submit(&request), SOON)
}

#[track_caller]
fn enforces_what_is_declared(installation: &Installation) {
    let supervisor = installation.start();
    let client = supervisor.client();

    let row = ends(client, json!({ "workflow": "stubborn" }));
    assert_eq!((&row["status"], &row["error_type"]), (&json!("TIMEOUT"), &json!("TimeoutError")), "{row}");
    // Longer than the setting, and the request comes first.
    let row = ends(client, json!({ "workflow": "patient" }));
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!("done")), "{row}");
    let row = ends(client, json!({ "workflow": "patient", "timeout_seconds": 0.3 }));
    assert_eq!(row["status"], "TIMEOUT", "{row}");

    let row = ends(client, json!({ "workflow": "shaky" }));
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(3)), "{row}");
    let row = ends(client, json!({ "workflow": "shaky", "parameters": { "fatal": true } }));
    assert_eq!((&row["error_type"], &row["attempt"]), (&json!("Fatal"), &json!(1)), "{row}");
    let row = ends(client, json!({ "workflow": "shaky", "max_attempts": 1 }));
    assert_eq!((&row["status"], &row["attempt"]), (&json!("FAILED"), &json!(1)), "{row}");

    refuses_bad_parameters(client);
    let output = installation.run(&["submit", "typed", "--params", r#"{"day": 1}"#]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("parameters.count: is required"), "{said}");
    let row = ends(client, json!({ "workflow": "parent" }));
    let told = row["result"].as_str().unwrap_or_default();
    assert!(told.contains("InvalidParameters") || told.contains("is required"), "{row}");

    let shown = client.get("/api/workflows").body;
    let named = |name: &str| {
        let all = shown["workflows"].as_array();
        all.into_iter()
            .flatten()
            .find(|one| one["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {shown}"))
            .clone()
    };
    assert_eq!(named("stubborn")["timeout_seconds"], 1.0);
    let patient = named("patient");
    assert_eq!(
        (&patient["max_concurrent_per_key"], &patient["queue"]),
        (&json!(2), &json!("slow")),
        "{patient}"
    );
    assert_eq!(named("shaky")["max_attempts"], 3);
    assert_eq!(named("typed")["parameters"]["properties"]["count"]["type"], "integer");
}

#[track_caller]
fn refuses_bad_parameters(client: &TestClient) {
    let refused = client
        .post("/api/executions", &json!({ "workflow": "typed", "parameters": { "day": 7, "many": true } }));
    let detail = refused.body["detail"].as_str().unwrap_or_default();
    assert_eq!(refused.status, 400, "{}", refused.body);
    for problem in [
        "parameters.count: is required",
        "parameters.day: must be text, and is 7",
        "parameters.many: is not known; known are: count, day",
    ] {
        assert!(detail.contains(problem), "{detail}");
    }
    let row = ends(client, json!({ "workflow": "typed", "parameters": { "day": "d", "count": 3.0 } }));
    assert_eq!(row["status"], "SUCCESS", "{row}");
}

#[test]
fn in_python() {
    enforces_what_is_declared(&short(python()));
}

#[test]
fn in_node() {
    enforces_what_is_declared(&short(node()));
}

#[test]
fn in_javascript() {
    enforces_what_is_declared(&short(scripts()));
}

#[test]
fn in_rust() {
    let worker = muster_tests::binaries::declaring_worker();
    enforces_what_is_declared(&short(Installation::new().worker([worker.display().to_string()])));
}

/// What the code took when it was described says nothing of a child once that code has changed.
#[track_caller]
fn a_child_goes_by_the_code_as_it_is(installation: Installation, file: &str, changed: &str) {
    let supervisor = installation.start();
    let client = supervisor.client();
    let row = ends(client, json!({ "workflow": "parent" }));
    assert!(row["result"].as_str().unwrap_or_default().contains("is required"), "{row}");
    let installation = installation.workflow(file, changed);
    let row = ends(client, json!({ "workflow": "parent" }));
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &Value::Null), "{row}");
    muster_tests::eventually("the child succeeded", SOON, || {
        let listed = client.get("/api/executions?workflow=typed").body;
        let children = listed["executions"].as_array()?;
        (children.len() == 1 && children[0]["status"] == "SUCCESS").then_some(())
    });
    drop(installation);
}

#[test]
fn a_child_of_changed_code_in_python() {
    let changed = PYTHON.replace("def typed(day: str, count: int)", "def typed(day: int, count: int = 1)");
    a_child_goes_by_the_code_as_it_is(short(python()), "jobs.py", &changed);
}

#[test]
fn a_child_of_changed_code_in_node() {
    a_child_goes_by_the_code_as_it_is(short(node()), "typed.js", "export default async () => 1;\n");
}

#[test]
fn a_child_of_changed_code_in_javascript() {
    a_child_goes_by_the_code_as_it_is(short(scripts()), "typed.js", "export default async () => 1;\n");
}

/// Code that declares retries anew has them from the first run on that fails under it.
#[track_caller]
fn retries_declared_anew_count_at_once(installation: Installation, file: &str, changed: &str) {
    let supervisor = installation.start();
    let client = supervisor.client();
    let row = ends(client, json!({ "workflow": "shaky", "parameters": { "fatal": true } }));
    assert_eq!((&row["error_type"], &row["attempt"]), (&json!("Fatal"), &json!(1)), "{row}");
    let installation = installation.workflow(file, changed);
    let row = ends(client, json!({ "workflow": "shaky", "parameters": { "fatal": true } }));
    assert_eq!((&row["error_type"], &row["attempt"]), (&json!("Fatal"), &json!(3)), "{row}");
    drop(installation);
}

#[test]
fn retries_declared_anew_in_python() {
    let changed = PYTHON.replace(", give_up_on=Fatal", "");
    retries_declared_anew_count_at_once(short(python()), "jobs.py", &changed);
}

#[test]
fn retries_declared_anew_in_node() {
    let changed = SCRIPTS[2].1.replace(", giveUpOn: ['Fatal']", "");
    retries_declared_anew_count_at_once(short(node()), "shaky.js", &changed);
}

#[test]
fn retries_declared_anew_in_javascript() {
    let changed = SCRIPTS[2].1.replace(", giveUpOn: ['Fatal']", "");
    retries_declared_anew_count_at_once(short(scripts()), "shaky.js", &changed);
}

/// A worker that takes anything is never asked: what is refused is refused by what it described.
#[test]
fn bad_parameters_in_a_batch() {
    let good = json!({ "workflow": "typed", "parameters": { "day": "d", "count": 3 } });
    let bad = json!({ "workflow": "typed", "parameters": { "day": "d", "count": "3" } });
    // Enough before it for a worker to have said what it takes.
    let mut lines = vec![good; 200];
    lines.push(bad);
    let run = scripts().setting("max_workers", 1).setting("min_workers", 1).batch(&lines, &["--keep-going"]);
    let (last, others) = run.results.split_last().unwrap();
    assert!(others.iter().all(|row| row["status"] == "SUCCESS"), "{others:?}");
    assert_eq!(
        (&last["status"], &last["error_type"]),
        (&json!("FAILED"), &json!("InvalidParameters")),
        "{last}"
    );
    assert!(
        last["error_message"].as_str().unwrap_or_default().contains("parameters.count: must be"),
        "{last}"
    );
}

/// The first executions are prepared while no worker is there that could have described anything.
#[test]
fn the_first_execution_is_under_it_too() {
    let installation = short(python());
    let lines =
        [json!({ "workflow": "patient" }), json!({ "workflow": "stubborn" }), json!({ "workflow": "shaky" })];
    let run = installation.batch(&lines, &["--keep-going"]);
    let statuses: Vec<_> = run.results.iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["SUCCESS", "TIMEOUT", "SUCCESS"], "{:?}", run.results);
}

#[test]
fn a_reload_forgets_what_the_old_code_declared_and_names_broken_files() {
    let installation = python();
    let supervisor = installation.start();
    let client = supervisor.client();
    let shown = client.get("/api/workflows").body;
    assert_eq!(shown["broken"], json!([]), "{shown}");
    let changed = PYTHON.replace("timeout=1)", "timeout=7)").replace("def typed", "def renamed");
    let installation =
        installation.workflow("jobs.py", &changed).workflow("bad.py", "import muster_worker, nothing\n");
    assert_eq!(client.post("/api/pool/reload", &json!({})).status, 200);
    let shown = muster_tests::eventually("the new code is described", SOON, || {
        let shown = client.get("/api/workflows").body;
        let is_new = shown["workflows"].as_array()?.iter().any(|one| one["name"] == "renamed");
        is_new.then_some(shown)
    });
    let names: Vec<_> =
        shown["workflows"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["parent", "patient", "renamed", "shaky", "stubborn"], "{shown}");
    assert_eq!(shown["workflows"][4]["timeout_seconds"], 7.0);
    assert_eq!(
        (&shown["broken"][0]["file"], &shown["broken"][0]["error_type"]),
        (&json!("bad.py"), &json!("ModuleNotFoundError"))
    );
    drop(installation);
}
