//! Cancels and deadlines, whatever the code does about them.

use std::time::{Duration, Instant};

use muster_protocol::{CallResult, CancelReason, JsonBytes};
use serde_json::json;

use crate::support::examples;
use crate::support::start::Start;

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
