//! What a run comes to: results, and errors with their place.

use muster_protocol::RunOutcome;
use serde_json::{Value, json};

use crate::support::examples;
use crate::support::start::Start;

#[test]
fn errors_have_the_name_the_place_and_the_cause() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.run("broken", &json!({}));
    let error = seen.error();
    assert_eq!(error.kind, "InvoiceError");
    assert!(error.message.starts_with("the invoice is not JSON"), "{}", error.message);
    assert!(error.stack.contains("at parseInvoice (broken.js:23:"), "{}", error.stack);
    assert!(error.stack.contains("Caused by: SyntaxError"), "{}", error.stack);
    assert!(!error.stack.contains("muster:"), "{}", error.stack);
    assert_eq!(error.retryable, Some(false));
}

#[test]
fn syntax_errors_say_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.js"), "export default function () {\n  return 1 +;\n}\n").unwrap();
    let mut peer = Start::in_folder(folder.path()).ready();
    let seen = peer.run("bad", &json!({}));
    assert_eq!(seen.error().kind, "SyntaxError");
    assert!(seen.error().message.starts_with("bad.js:2:"), "{:?}", seen.error());
}

#[test]
fn what_only_node_has_says_who_runs_it() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for code in [
        "export default () => process.env.KEY",
        "module.exports = () => 1",
        "export default () => require('fs')",
    ] {
        let seen = peer.inline(code, &json!({}));
        assert!(seen.error().message.ends_with("or run it with the Node SDK"), "{code}: {:?}", seen.error());
    }
    let seen = peer.inline("export default () => nothing", &json!({}));
    assert!(!seen.error().message.contains("Node"), "{:?}", seen.error());
}

#[test]
fn a_source_the_interpreter_cannot_take_is_a_failure() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for code in ["export default () => '\0'", "", "return 1", "\u{feff}export default () => 1 2"] {
        let seen = peer.inline(code, &json!({}));
        match &seen.outcome {
            RunOutcome::Failed { error } => assert_eq!(error.kind, "SyntaxError", "{error:?}"),
            other => assert!(seen.rejected().contains("default export"), "{code:?}: {other:?}"),
        }
    }
}

#[test]
fn what_is_thrown_need_not_be_an_error() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.inline("export default () => { throw 'just text' }", &json!({}));
    assert_eq!((seen.error().kind.as_str(), seen.error().message.as_str()), ("", "just text"));
    let seen = peer.inline("export default async () => { throw { code: 7 } }", &json!({}));
    assert_eq!(seen.error().message, "the workflow threw {\"code\":7}");
    let seen = peer.inline(
        "export default () => { throw { name: 'Declined', message: 'no money', retryable: false } }",
        &json!({}),
    );
    let error = seen.error();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("Declined", "no money"));
    assert_eq!(error.retryable, Some(false));
    let seen = peer.inline("export default () => Promise.reject()", &json!({}));
    assert_eq!(seen.error().message, "the workflow threw undefined");
}

#[test]
fn results_must_be_json() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    assert_eq!(peer.inline("export default () => {}", &json!({})).result(), Value::Null);
    assert_eq!(peer.inline("export default () => ({ n: 10n })", &json!({})).result(), json!({ "n": 10 }));
    let seen = peer.inline("export default () => { const a = {}; a.a = a; return a }", &json!({}));
    assert_eq!(seen.error().kind, "InvalidResult");
    assert!(seen.error().message.contains("result.a contains itself"), "{:?}", seen.error());
    let seen = peer.inline("export default () => () => 1", &json!({}));
    assert!(seen.error().message.contains("result is a function"), "{:?}", seen.error());
    let seen = peer.inline("export default () => ({ text: '\\u2028 \\x01' })", &json!({}));
    assert_eq!(seen.result(), json!({ "text": "\u{2028} \u{1}" }));
}

#[test]
fn a_result_above_the_frame_fails_with_its_size() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.inline("export default () => 'x'.repeat(16777215)", &json!({}));
    assert_eq!(seen.error().kind, "ResultTooLarge");
    assert!(seen.error().message.contains("16777217 bytes"), "{}", seen.error().message);
    let seen = peer.inline("export default () => 'x'.repeat(5 * 1024 * 1024)", &json!({}));
    assert_eq!(seen.result().as_str().unwrap().len(), 5 * 1024 * 1024);
}

#[test]
fn a_promise_that_nothing_can_settle_is_an_error_and_not_a_hang() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.inline("export default () => new Promise(() => {})", &json!({}));
    assert_eq!(seen.error().kind, "StalledError");
}

#[test]
fn an_error_of_any_size_is_told() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.inline("export default () => { throw new Error('x'.repeat(20_000_000)) }", &json!({}));
    assert_eq!(seen.error().kind, "Error");
    assert!(seen.error().message.ends_with("bytes cut]"));
}
