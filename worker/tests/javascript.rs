//! JavaScript workflows in the real worker.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]

mod support;

use std::time::{Duration, Instant};

use muster_protocol::{CallResult, CancelReason, CodeSource, JsonBytes, LogLevel, RunOutcome};
use serde_json::{Value, json};
use support::{Start, examples};

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
fn a_busy_loop_ends_on_cancel_and_the_worker_goes_on() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let run = peer.execute("forever", &json!({}));
    peer.wait_started(run);
    let asked = Instant::now();
    peer.cancel(run, CancelReason::Timeout);
    let seen = peer.collect(run);
    assert!(asked.elapsed() < Duration::from_millis(300), "{:?}", asked.elapsed());
    assert!(seen.cancelled().starts_with("timed out"), "{}", seen.cancelled());
    assert!(seen.cancelled().contains("forever.js:"), "{}", seen.cancelled());
    assert_eq!(peer.run("hello", &json!({})).result(), json!({ "greeting": "Hello, world!" }));
}

#[test]
fn no_user_code_can_swallow_a_cancel() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for code in [
        "export default () => { for (;;) { try { for (;;); } catch {} finally { continue; } } }",
        "export default async () => { for (;;) { try { await null; for (;;); } catch {} } }",
        "export default async () => { for (;;) await null; }",
        "export default async (p, ctx) => { for (;;) try { await ctx.sleep(1e6) } catch {} }",
        "export default async (p, ctx) => { try { await ctx.sleep(1e6) } catch {} return 'swallowed' }",
        "export default () => new Promise(() => setInterval(() => {}, 1))",
        "for (;;); export default () => 1",
        "await new Promise((r) => setTimeout(r, 1e6)); export default () => 1",
        "export default () => { /(a+)+$/.test('a'.repeat(40) + 'b') }",
        "export default () => { const f = () => { try { f() } catch { f() } }; f() }",
    ] {
        let run = peer.start_inline(code, &json!({}), 0);
        peer.wait_started(run);
        peer.cancel(run, CancelReason::User);
        let seen = peer.collect(run);
        assert!(seen.cancelled().starts_with("cancelled"), "{code}: {:?}", seen.outcome);
        assert!(seen.took < Duration::from_millis(900), "{code}: {:?}", seen.took);
    }
}

#[test]
fn without_a_cancel_the_worker_keeps_the_deadline_itself() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for code in
        ["export default () => { for (;;); }", "export default (p, ctx) => ctx.sleep(60000)", "for (;;);"]
    {
        let run = peer.start_inline(code, &json!({}), 100);
        let seen = peer.collect(run);
        assert_eq!(seen.cancelled().split(" (").next(), Some("timed out: after 0.1 s"), "{code}");
        assert!(seen.took >= Duration::from_millis(100), "{:?}", seen.took);
        assert!(seen.took < Duration::from_millis(600), "{:?}", seen.took);
    }
}

#[test]
fn code_that_looks_at_the_signal_may_clean_up() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (p, ctx) => {
        ctx.signal.addEventListener('abort', () => ctx.log.info('told: ' + ctx.signal.reason.message));
        while (!ctx.signal.aborted) { for (let i = 0; i < 1000; i++); }
        try { ctx.signal.throwIfAborted() } catch (error) { ctx.log.info(error.name) }
        await ctx.state.set('stopped', true);
    }";
    let run = peer.start_inline(code, &json!({}), 0);
    peer.wait_started(run);
    peer.cancel(run, CancelReason::User);
    let mut asked = Vec::new();
    let seen = peer.collect_with(run, |method, _| {
        asked.push(method.to_owned());
        CallResult::Ok { value: JsonBytes::NONE }
    });
    assert_eq!(seen.messages(), ["told: cancelled", "AbortError"]);
    assert_eq!(asked, ["state.set"]);
    seen.cancelled();
}

#[test]
fn a_supervisor_that_leaves_keeps_a_success() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (p, ctx) => { try { await ctx.sleep(1e6) } catch {} return 'saved' }";
    let run = peer.start_inline(code, &json!({}), 0);
    peer.wait_started(run);
    peer.cancel(run, CancelReason::Shutdown);
    assert_eq!(peer.collect(run).result(), json!("saved"));
}

#[test]
fn a_promise_that_nothing_can_settle_is_an_error_and_not_a_hang() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.inline("export default () => new Promise(() => {})", &json!({}));
    assert_eq!(seen.error().kind, "StalledError");
}

#[test]
fn a_rejection_that_nobody_handles_is_in_the_log() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (p, ctx) => {
        Promise.reject(new Error('lost'));
        const late = Promise.reject(new Error('handled later'));
        await ctx.sleep(1);
        await late.catch(() => {});
    }";
    let seen = peer.inline(code, &json!({}));
    seen.result();
    assert_eq!(seen.logs.len(), 1, "{:?}", seen.messages());
    assert!(seen.messages()[0].starts_with("a promise was rejected and nobody handled it: Error: lost"));
}

#[test]
fn progress_in_a_tight_loop_costs_a_frame_now_and_then() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default (p, ctx) => { for (let i = 1; i <= 100000; i++) ctx.progress(i, 100000) }";
    let seen = peer.inline(code, &json!({}));
    assert_eq!(seen.progress.last(), Some(&(100_000, 100_000, String::new())));
    assert!(seen.progress.len() < 200, "{}", seen.progress.len());
}

#[test]
fn an_error_of_any_size_is_told() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.inline("export default () => { throw new Error('x'.repeat(20_000_000)) }", &json!({}));
    assert_eq!(seen.error().kind, "Error");
    assert!(seen.error().message.ends_with("bytes cut]"));
}

#[test]
fn timers_fire_in_order_and_can_be_cleared() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (p, ctx) => {
        const order = [];
        setTimeout((x) => order.push(x), 20, 'c');
        setTimeout(() => { order.push('a'); Promise.resolve().then(() => order.push('micro')) }, 1);
        setTimeout(() => order.push('b'), 1);
        clearTimeout(setTimeout(() => order.push('never'), 5));
        let beats = 0;
        await new Promise((done) => { const id = setInterval(() => { if (++beats === 3) { clearInterval(id); done() } }, 2) });
        await ctx.sleep(30);
        return { order, beats };
    }";
    let seen = peer.inline(code, &json!({}));
    assert_eq!(seen.result(), json!({ "order": ["a", "micro", "b", "c"], "beats": 3 }));
}

#[test]
fn sixty_four_calls_are_in_flight_and_the_others_wait() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (p, ctx) => {
        const all = await Promise.all(Array.from({ length: 200 }, (_, i) => ctx.state.get('key' + i)));
        return all.every((value, i) => value.key === 'key' + i);
    }";
    let run = peer.start_inline(code, &json!({}), 0);
    peer.wait_started(run);
    let mut calls = Vec::new();
    for _ in 0..64 {
        match peer.next() {
            muster_protocol::ToSupervisor::Call { call, params, .. } => calls.push((call, params)),
            other => panic!("{other:?}"),
        }
    }
    // Nothing else comes until a reply does: a Ping is answered before any 65th call.
    peer.send(&muster_protocol::ToWorker::Ping { nonce: 9 });
    assert_eq!(peer.next(), muster_protocol::ToSupervisor::Pong { nonce: 9 });
    for (call, params) in calls.into_iter().rev() {
        peer.send(&muster_protocol::ToWorker::Reply { run, call, result: CallResult::Ok { value: params } });
    }
    assert_eq!(peer.collect(run).result(), json!(true));
}

#[test]
fn a_refused_call_is_an_error_of_its_kind() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (p, ctx) => {
        try { await ctx.call('no.such') } catch (error) { return [error.name, error.message, error instanceof Error] }
    }";
    let run = peer.start_inline(code, &json!({}), 0);
    let seen = peer.collect_with(run, |method, _| CallResult::Err {
        error: muster_protocol::ErrorInfo::new("UnknownMethod", format!("no {method}")),
    });
    assert_eq!(seen.result(), json!(["UnknownMethod", "no no.such", true]));
}

#[test]
fn logs_come_in_order_in_batches_before_what_depends_on_them() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async (p, ctx) => {
        for (let i = 0; i < 1000; i++) console.log('line', i, { i });
        ctx.log.warn('odd', new Error('inner'));
        await ctx.state.set('a', 1);
        ctx.log.debug('end', { n: 1n });
    }";
    let seen = peer.inline(code, &json!({}));
    assert_eq!(seen.logs.len(), 1002);
    assert!(
        seen.logs[..1000]
            .iter()
            .enumerate()
            .all(|(i, record)| record.message == format!("line {i} {{\"i\":{i}}}"))
    );
    assert!(seen.log_frames >= 4 && seen.log_frames <= 12, "{}", seen.log_frames);
    assert_eq!(seen.logs[0].logger, "console");
    assert_eq!(seen.logs[1000].level, LogLevel::Warn);
    let error = seen.logs[1000].fields.parse::<Value>().unwrap();
    assert_eq!((&error["name"], &error["message"]), (&json!("Error"), &json!("inner")));
    assert!(error["stack"].as_str().unwrap().contains("    at "), "{error}");
    assert_eq!(seen.logs[1001].fields.parse::<Value>().unwrap(), json!({ "n": "1n" }));
}

#[test]
fn a_log_line_leaves_while_the_workflow_is_busy_or_waits() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for code in [
        "export default async (p, ctx) => { ctx.log.info('early'); await ctx.sleep(1e6) }",
        "export default async (p, ctx) => { ctx.log.info('early'); for (;;); }",
    ] {
        let run = peer.start_inline(code, &json!({}), 0);
        peer.wait_started(run);
        match peer.next() {
            muster_protocol::ToSupervisor::Log { records, .. } => assert_eq!(records[0].message, "early"),
            other => panic!("{other:?}"),
        }
        peer.cancel(run, CancelReason::User);
        while !matches!(peer.next(), muster_protocol::ToSupervisor::Idle { .. }) {}
    }
}

#[test]
fn nothing_leaks_from_one_execution_into_the_next() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "globalThis.leak = 1; Array.prototype.leak = 2; JSON.parse = () => 'mine'; \
                setTimeout(() => { throw new Error('late') }, 1); \
                Object.defineProperty(globalThis, 'console', { value: null }); export default () => 1";
    assert_eq!(peer.inline(code, &json!({})).result(), json!(1));
    let code = "export default () => [typeof leak, [].leak ?? null, JSON.parse('2'), typeof console.log]";
    assert_eq!(peer.inline(code, &json!({})).result(), json!(["undefined", null, 2, "function"]));
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
fn the_memory_limit_ends_the_workflow_and_not_the_worker() {
    let examples = examples();
    let mut peer = Start { memory_limit_mb: 32, ..Start::in_folder(&examples) }.ready();
    let code = "export default () => { const all = []; for (;;) all.push(new Array(1000).fill(7)) }";
    for _ in 0..3 {
        let seen = peer.inline(code, &json!({}));
        assert_eq!(seen.error().kind, "OutOfMemory", "{:?}", seen.error());
        assert!(seen.error().message.contains("32 MiB"), "{:?}", seen.error());
    }
    let seen = peer.inline("export default () => new Array(1e6).fill(0).length", &json!({}));
    assert_eq!(seen.result(), json!(1_000_000));
}

#[test]
fn endless_recursion_is_an_error_and_not_a_crash() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.inline("export default function f() { return f() + 1 }", &json!({}));
    assert!(seen.error().message.contains("stack"), "{:?}", seen.error());
    let deep = "export default () => JSON.parse('['.repeat(1e6))";
    peer.inline(deep, &json!({})).error();
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
