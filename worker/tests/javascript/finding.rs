//! Which code runs: named workflows, functions of files, imports, inline code, and what it is told.

use muster_protocol::{CallResult, CodeSource, JsonBytes};
use serde_json::{Value, json};

use crate::support::examples;
use crate::support::start::Start;

#[test]
fn hello_greets() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    assert!(peer.workflows.contains(&"hello".to_owned()), "{:?}", peer.workflows);
    let seen = peer.run("hello", &json!({ "name": "Ada" }));
    assert_eq!(seen.result(), json!({ "greeting": "Hello, Ada!" }));
    assert!(seen.started);
    assert_eq!(seen.messages(), ["greeting Ada"]);
    assert_eq!(seen.logs[0].fields.parse::<Value>().unwrap(), json!({ "attempt": 1 }));
}

#[test]
fn a_context_tells_what_the_execution_is_for() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (params, ctx) => ({ id: ctx.executionId, attempt: ctx.attempt, \
                workflow: ctx.workflow, organization: ctx.organization.name, caller: ctx.caller.name, \
                startup: ctx.startup, region: await ctx.config.get('region'), params })";
    let seen = peer.inline(code, &json!([1]));
    assert_eq!(
        seen.result(),
        json!({ "id": "00000000-0000-0000-0000-000000000001", "attempt": 1,
            "workflow": { "id": null, "name": "script" }, "organization": "Acme", "caller": "Ada",
            "startup": { "form": 7 }, "region": "eu", "params": [1] })
    );
}

#[test]
fn a_workflow_that_is_not_there_is_rejected_with_near_names() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.run("helo", &json!({}));
    assert!(seen.rejected().contains("near names: hello"), "{}", seen.rejected());
    assert!(!seen.started);
    let seen = peer.run("../hello", &json!({}));
    assert!(seen.rejected().contains("not a workflow's name"), "{}", seen.rejected());
}

#[test]
fn a_named_function_is_called_and_a_missing_one_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("reports")).unwrap();
    std::fs::write(folder.path().join("reports/daily.js"), "export function monthly(p) { return p.n + 1 }")
        .unwrap();
    let mut peer = Start::in_folder(folder.path()).ready();
    let path =
        |function: &str| CodeSource::Path { path: "reports/daily.js".into(), function: function.into() };
    let run = peer.execute_with("daily", path("monthly"), &json!({ "n": 1 }), 0);
    assert_eq!(peer.collect(run).result(), json!(2));
    let run = peer.execute_with("daily", path("yearly"), &json!({}), 0);
    let seen = peer.collect(run);
    assert_eq!(seen.rejected(), "reports/daily.js exports no function \"yearly\"; it exports: monthly");
    let run = peer.execute_with("daily", path(""), &json!({}), 0);
    assert!(peer.collect(run).rejected().contains("has no function as its default export"));
}

#[test]
fn a_changed_file_and_its_imports_are_picked_up() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "main.js",
        "import { n } from './lib/n.js'; import data from './data.json'; export default () => [n, data.d]",
    );
    write("lib/n.js", "export const n = 1");
    write("data.json", "{\"d\": \"x\"}");
    let mut peer = Start::in_folder(folder.path()).ready();
    assert_eq!(peer.run("main", &json!({})).result(), json!([1, "x"]));
    write("lib/n.js", "export const n = 2");
    assert_eq!(peer.run("main", &json!({})).result(), json!([2, "x"]));
    std::fs::remove_file(folder.path().join("main.js")).unwrap();
    peer.run("main", &json!({})).rejected();
}

#[test]
fn imports_never_leave_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.js"), "export const secret = 42").unwrap();
    let folder = outside.path().join("workflows");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.js"), folder.join("link.js")).unwrap();
    let mut peer = Start::in_folder(&folder).ready();
    let absolute = outside.path().join("secret.js");
    for specifier in ["../secret.js", "./link.js", absolute.to_str().unwrap(), "./lib/../../secret.js", "os"]
    {
        for code in [
            format!("import {{ secret }} from '{specifier}'; export default () => secret"),
            format!("export default async () => (await import('{specifier}')).secret"),
        ] {
            let seen = peer.inline(&code, &json!({}));
            let message = &seen.error().message;
            assert!(
                message.contains("outside the workflows folder") || message.contains("relative path"),
                "{message}"
            );
        }
    }
    for path in ["../secret.js", "link.js", absolute.to_str().unwrap()] {
        let source = CodeSource::Path { path: path.to_owned(), function: String::new() };
        let run = peer.execute_with("secret", source, &json!({}), 0);
        peer.collect(run).rejected();
    }
}

#[test]
fn the_examples_do_what_they_say() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.run("transform", &json!({}));
    assert_eq!(seen.result()["orders"], 10_000);
    assert_eq!(seen.progress.last(), Some(&(10_000, 10_000, "orders".to_owned())));
    assert!(seen.progress.iter().all(|progress| progress.1 == 10_000), "{:?}", seen.progress);
    let run = peer.execute("counter", &json!({}));
    let mut visits = json!(41);
    let seen = peer.collect_with(run, |method, params| {
        if method == "state.set" {
            visits = params.parse::<Value>().unwrap()["value"].clone();
        }
        CallResult::Ok { value: JsonBytes::of(&visits) }
    });
    assert_eq!(seen.result(), json!({ "key": "visits", "before": 41, "after": 42 }));
}

#[test]
fn inline_code_in_another_language_is_rejected() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let source = CodeSource::Inline { language: "python".to_owned(), code: b"print(1)".to_vec().into() };
    let run = peer.execute_with("script", source, &json!({}), 0);
    assert!(peer.collect(run).rejected().contains("runs JavaScript"));
}
