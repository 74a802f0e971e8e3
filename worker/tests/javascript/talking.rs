//! What a run says and asks while it lasts: logs, progress, timers, calls.

use muster_protocol::{CallResult, CancelReason, LogLevel};
use serde_json::{Value, json};

use crate::support::examples;
use crate::support::start::Start;

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
