//! The same batch on the three workers of this repository: what a user sees of an execution does not depend on the
//! language it is written in.

use muster_tests::Installation;
use muster_tests::binaries::repository;
use serde_json::{Value, json};

const JAVASCRIPT: &str = "
class OrderError extends Error {}
class TimeoutError extends Error {}
const sum = (values) => values.reduce((total, value) => total + value, 0);
const total = ({ values = [] }, ctx) => { ctx.log.info('adding', { count: values.length }); return { total: sum(values) }; };
const same = ({ value = null }) => value;
const nothing = () => {};
const refuse = ({ why }) => { throw new OrderError(why); };
const pretend = () => { throw new TimeoutError('only a name'); };
const wait = ({ seconds }, ctx) => ctx.sleep(seconds * 1000);
const remember = async ({ key, value }, ctx) => {
  const before = await ctx.state.get(key);
  await ctx.state.set(key, value);
  return [before ?? null, await ctx.state.get(key)];
};
";

const PYTHON: &str = "
from muster_worker import context, workflow

class OrderError(Exception):
    pass

class TimeoutError(Exception):
    pass

@workflow
def total(values: list = []):
    context.log.info('adding', count=len(values))
    return {'total': sum(values)}

@workflow
def same(value=None):
    return value

@workflow
def nothing():
    pass

@workflow
def refuse(why: str):
    raise OrderError(why)

@workflow
def pretend():
    raise TimeoutError('only a name')

@workflow
def wait(seconds: float):
    context.sleep(seconds)

@workflow
def remember(key: str, value=None):
    before = context.state.get(key)
    context.state.set(key, value)
    return [before, context.state.get(key)]
";

const NAMES: [&str; 7] = ["total", "same", "nothing", "refuse", "pretend", "wait", "remember"];

fn lines() -> Vec<Value> {
    let line = |workflow: &str, params: Value| json!({ "workflow": workflow, "params": params });
    vec![
        line("total", json!({ "values": [1, 2, 39] })),
        line("total", json!({})),
        line(
            "same",
            json!({ "value": { "text": "grüße \u{1f980}\n", "list": [1.5, -0.25, true, null], "large": 9_007_199_254_740_991_i64 } }),
        ),
        line("same", json!({ "value": "x".repeat(100_000) })),
        line("nothing", json!({})),
        line("refuse", json!({ "why": "no stock of \"A-7\"" })),
        line("pretend", json!({})),
        json!({ "workflow": "wait", "params": { "seconds": 60 }, "timeout_seconds": 0.3 }),
        line("wait", json!({ "seconds": 0.01 })),
        line("remember", json!({ "key": "first", "value": { "n": 1 } })),
        line("nowhere", json!({})),
    ]
}

/// What a user sees of each line; messages only where they are the user's own.
fn seen(installation: Installation) -> Vec<Value> {
    let run = installation.batch(&lines(), &["--keep-going"]);
    assert_eq!(run.results.len(), lines().len(), "{}", run.stderr);
    let of = |row: &Value| {
        let message = match row["error_type"].as_str() {
            Some("OrderError" | "User.TimeoutError") => row["error_message"].clone(),
            Some(_) | None => Value::Null,
        };
        let [workflow, status, result, kind] =
            ["workflow", "status", "result", "error_type"].map(|key| row[key].clone());
        json!([workflow, status, result, kind, message])
    };
    run.results.iter().map(of).collect()
}

fn embedded() -> Installation {
    NAMES.iter().fold(Installation::new(), |installation, name| {
        let text = format!("{JAVASCRIPT}\nexport default {name};\n");
        installation.workflow(&format!("{name}.js"), &text)
    })
}

fn node() -> Installation {
    let registered: String = NAMES.iter().map(|name| format!("workflow('{name}', {name});\n")).collect();
    let text = format!("import {{ workflow }} from 'muster-worker';\n{JAVASCRIPT}\n{registered}");
    let command = repository("worker/node/bin/muster-worker");
    Installation::new().worker([command.display().to_string()]).workflow("all.js", &text)
}

fn python() -> Installation {
    let path = format!("PYTHONPATH={}", repository("worker/python").display());
    Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", path)
        .workflow("all.py", PYTHON)
}

#[test]
fn one_batch_gives_the_same_results_on_all_three() {
    let reference = seen(embedded());
    let kinds: Vec<_> = reference.iter().map(|row| row[3].as_str()).collect();
    let expected = [
        None,
        None,
        None,
        None,
        None,
        Some("OrderError"),
        Some("User.TimeoutError"),
        Some("TimeoutError"),
        None,
        None,
        Some("WorkflowNotFound"),
    ];
    assert_eq!(kinds, expected, "{reference:#?}");
    assert_eq!(reference[0][2], json!({ "total": 42 }));
    assert_eq!(reference[2][2], lines()[2]["params"]["value"]);
    assert_eq!(reference[9][2], json!([null, { "n": 1 }]));
    for (name, results) in [("Python", seen(python())), ("Node", seen(node()))] {
        for (number, (row, same)) in results.iter().zip(&reference).enumerate() {
            assert_eq!(row, same, "{name}, line {}", number + 1);
        }
    }
}
