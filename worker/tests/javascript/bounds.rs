//! What one execution cannot do to the next, or to the worker.

use serde_json::json;

use crate::support::examples;
use crate::support::start::Start;

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
