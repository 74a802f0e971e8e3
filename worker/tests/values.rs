//! Values through the real worker: nothing changes on the way, and what cannot be kept is refused with its place.

mod support;

use muster_protocol::{CallResult, CodeSource, JsonBytes, RunOutcome};
use serde_json::{Value, json};
use support::seen::Seen;
use support::start::Start;
use support::{Peer, examples};

const HALF: &str = "half of a surrogate pair";

fn inline(peer: &mut Peer, code: &str, params: &str) -> Seen {
    let source = CodeSource::Inline { language: String::new(), code: code.to_owned().into() };
    peer.run_text("script", source, params)
}

/// Doubles that need all 17 digits, and those next to a border.
const DOUBLES: [&str; 9] = [
    "106.18129360834155",
    "0.1",
    "0.30000000000000004",
    "5e-324",
    "1.7976931348623157e308",
    "9007199254740991.0",
    "2.2250738585072014e-308",
    "0.12345678901234568",
    "8.41e21",
];

#[test]
fn a_double_stays_what_it_is_in_rust() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for double in DOUBLES {
        // Through `serde_json::Value`, as the parameters and replies of a Rust workflow go.
        let params = format!(r#"{{"method":"config.get","params":{{"key":"k","n":{double}}}}}"#);
        let run = peer.run_text("conformance.call", CodeSource::Named, &params);
        let (sent, given): (f64, f64) =
            (double.parse().unwrap(), run.result()[0]["n"].to_string().parse().unwrap());
        assert_eq!(sent.to_bits(), given.to_bits(), "{double}: {}", run.text());
    }
}

#[test]
fn an_echo_in_rust_is_the_same_text() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for text in ["18446744073709551616", "-0.0", "1e22", r#"{"b":1,"a":9007199254740993,"a":1.10}"#] {
        assert_eq!(peer.run_text("conformance.echo", CodeSource::Named, text).text(), text);
    }
}

#[test]
fn an_echo_in_javascript_changes_nothing() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default (params) => params";
    for (given, expected) in [
        ("[9007199254740991,9007199254740993]", "[9007199254740991,9007199254740993]"),
        (r#"{"a":-18446744073709551616,"b":"1234567890123456789"}"#, ""),
        ("9223372036854775808", ""),
        ("-0.0", ""),
        ("[0,-0.0,0.0]", "[0,-0.0,0]"),
        ("1e22", "1e+22"),
        ("0.12345678901234568", ""),
        (r#"{"__proto__":{"x":1},"constructor":2}"#, ""),
        (r#""\ud83d\ude00""#, "\"\u{1f600}\""),
        (r#"{"key 12345678901234567":12345678901234567}"#, ""),
    ] {
        let expected = if expected.is_empty() { given } else { expected };
        assert_eq!(inline(&mut peer, code, given).text(), expected);
    }
    let kinds = "export default (p) => p.map((value) => typeof value).join()";
    let kinds = inline(&mut peer, kinds, "[9007199254740991,9007199254740992,1e30]");
    assert_eq!(kinds.result(), json!("number,bigint,number"));
    let error = inline(&mut peer, code, r#"{"a":[1,1e400]}"#);
    assert_eq!(error.error().kind, "InvalidParameters");
    let expected =
        "the parameters are refused: params.a[1] is a number that no double holds; write it as a string";
    assert_eq!(error.error().message, expected);
}

#[test]
fn large_texts_with_long_numbers_are_read_in_good_time() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let long = format!(r#"["{}",12345678901234567890,"{}"]"#, "x".repeat(3_000_000), "\\n".repeat(1_000_000));
    let seen = inline(&mut peer, "export default (params) => params", &long);
    assert_eq!(seen.text(), long);
}

#[test]
fn what_a_result_cannot_hold_is_refused_with_its_place() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for (expression, message) in [
        ("{ a: [1, { 'b c': 'x\\ud83d' }] }", r#"result.a[1]["b c"] holds half of a surrogate pair"#),
        ("{ a: { ['k\\ude00']: 1 } }", "a key of result.a holds half of a surrogate pair"),
        ("['\\u0000']", "result[0] holds the character U+0000"),
        ("{ a: { b: 0 / 0 } }", "result.a.b is NaN; JSON has no such number"),
        ("[-1 / 0]", "result[0] is -Infinity; JSON has no such number"),
        ("10n ** 400n", "result is a number that no double holds"),
        ("JSON.parse('['.repeat(513) + ']'.repeat(513))", "is nested more than 512 deep"),
        ("() => 1", "result is a function"),
        ("{ a: [() => 1] }", "result.a[0] is a function"),
        ("{ a: (async () => 1)() }", "result.a is a promise; put await before the call that gave it"),
        ("[new Map([[1, 2]])]", "result[0] is a Map, which JSON does not have; write Object.fromEntries(it)"),
        ("{ a: new RangeError('e') }", "result.a is an Error, which JSON does not have"),
        ("(() => { const a = { b: {} }; a.b.c = a; return a; })()", "result.b.c contains itself"),
    ] {
        let seen = inline(&mut peer, &format!("export default () => ({expression})"), "{}");
        let error = seen.error();
        assert_eq!((error.kind.as_str(), error.retryable), ("InvalidResult", Some(false)), "{error:?}");
        assert!(
            error.message.starts_with("the result is refused: ") && error.message.contains(message),
            "{error:?}"
        );
    }
    let deep = inline(&mut peer, "export default () => JSON.parse('['.repeat(512) + ']'.repeat(512))", "{}");
    assert_eq!(deep.text().len(), 1024);
}

#[test]
fn what_a_call_cannot_pass_on_is_refused_at_the_call() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for (call, message) in [
        (
            "state.set('k', { a: ['x\\ud83d'] })",
            "state.set is refused: value.a[0] holds half of a surrogate pair",
        ),
        ("state.set('k\\u0000', 1)", "state.set is refused: key holds the character U+0000"),
        ("state.get('k\\ud83d')", "state.get is refused: key holds half of a surrogate pair"),
        (
            "submit('w', { n: 10n ** 400n })",
            "execution.submit is refused: params.n is a number that no double holds",
        ),
        ("submit('w', { n: NaN })", "execution.submit is refused: params.n is NaN"),
        (
            "submit('w', JSON.parse('['.repeat(600) + ']'.repeat(600)))",
            "is nested more than 512 deep; flatten it, or store it elsewhere and pass a reference",
        ),
    ] {
        let code = format!(
            "export default async (p, ctx) => {{ try {{ await ctx.{call}; }} catch (error) {{ \
             return [error.name, error.message, error.retryable]; }} }}"
        );
        let seen = inline(&mut peer, &code, "{}").result();
        assert_eq!((&seen[0], &seen[2]), (&json!("InvalidValue"), &json!(false)), "{seen}");
        assert!(seen[1].as_str().unwrap().contains(message), "{seen}");
    }
}

#[test]
fn what_is_passed_on_arrives_as_it_was_written() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default (p, ctx) => ctx.state.set('k', p)";
    let source = CodeSource::Inline { language: String::new(), code: code.to_owned().into() };
    let mut message = peer.execute_message("script", source, &Value::Null, 0);
    if let muster_protocol::ToWorker::Execute { params, .. } = &mut message {
        *params = JsonBytes::from(br#"{"zz":12345678901234567890123,"aa":-0.0}"#.to_vec());
    }
    peer.send(&message);
    let mut written = Vec::new();
    let seen = peer.collect_with(1, |_, params| {
        written = params.0.to_vec();
        CallResult::Ok { value: JsonBytes::NONE }
    });
    assert!(matches!(seen.outcome, RunOutcome::Succeeded { .. }), "{:?}", seen.outcome);
    assert_eq!(
        String::from_utf8(written).unwrap(),
        r#"{"key":"k","value":{"zz":12345678901234567890123,"aa":-0.0}}"#
    );
}

#[test]
fn a_log_or_progress_call_never_fails_an_execution() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let bad = "{ toString() { throw 1 }, get x() { throw new Error('no') }, toJSON() { throw 2 } }";
    for call in [
        "ctx.progress(Infinity, NaN, 'x')",
        "ctx.progress(2 ** 64, -1)",
        "ctx.progress(10n, Symbol('x'), Symbol('y'))",
        "ctx.progress(1, 2, 'x'.repeat(17e6))",
        "ctx.progress({ valueOf() { throw 1 } }, 1, 'half \\ud83d \\u0000')",
        "ctx.log.info('x'.repeat(17e6))",
        "ctx.log.info('half \\ud83d \\u0000', { ['k\\ud83d\\u0000']: '\\ude00' })",
        "console.log('half \\ud83d', '\\u0000', Symbol('x'), null, undefined, -0, () => 1)",
        &format!("console.error({bad})"),
        &format!("ctx.log.error({bad}, {bad})"),
        "ctx.log.info(Object.create(null), new Proxy({}, { get() { throw 1 }, ownKeys() { throw 1 } }))",
        "ctx.log.info('revoked', (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })())",
    ] {
        let seen = inline(&mut peer, &format!("export default (p, ctx) => {{ {call}; return 1; }}"), "{}");
        assert_eq!(seen.text(), "1", "{call}");
        assert_eq!(seen.logs.len() + seen.progress.len(), 1, "{call}");
        for record in &seen.logs {
            assert!(record.message.len() <= 65_536 && !record.message.contains('\0'), "{call}");
            let fields: Value = record.fields.parse().unwrap();
            assert!(!fields.to_string().contains("\\u0000"), "{call}: {fields}");
        }
        for (current, total, message) in &seen.progress {
            assert!((*current).max(*total) < 1 << 53 && message.len() <= 1024, "{current} {total} {message}");
        }
    }
}

#[test]
fn a_field_that_is_no_json_costs_itself_only() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default (p, ctx) => {
        const round = { n: 1 }; round.self = round;
        ctx.log.info('m', { nan: NaN, big: 10n, at: new Date(0), map: new Map([['a', 1], [{}, 2], [1, 3], ['1', 4]]), set: new Set([1]),
            symbol: Symbol('s'), round, ok: [1, 'x'], half: '\\ud83d', get bad() { throw new Error('why'); }, f: () => 1 });
    }";
    let seen = inline(&mut peer, code, "{}");
    assert_eq!(
        seen.logs[0].fields.parse::<Value>().unwrap(),
        json!({ "nan": "NaN", "big": "10n", "at": "1970-01-01T00:00:00.000Z", "map": { "a": 1, "{}": 2, "1": 3, "1 (string)": 4 }, "set": [1],
            "symbol": "Symbol(s)", "round": { "n": 1, "self": "[seen above]" }, "ok": [1, "x"], "half": "\u{fffd}",
            "bad": "[its getter threw: why]", "f": "[function f]" })
    );
}

#[test]
fn any_error_can_be_described() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for (thrown, message) in [
        ("new Error('half \\ud83d')", "half \u{fffd}"),
        ("Object.assign(new Error('round'), { get cause() { return this } })", "round"),
        ("(() => { const e = new Error('own cause'); e.cause = e; return e; })()", "own cause"),
        (
            "(() => { const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 1 } }); return e; })()",
            "Error",
        ),
        ("Object.assign(new Error('named'), { name: Symbol('n') })", "named"),
        ("Symbol('bare')", "the workflow threw Symbol(bare)"),
        ("Object.create(null)", "the workflow threw {}"),
        ("{ toString() { throw 1 } }", "the workflow threw {\"toString\":\"[function toString]\"}"),
        ("'half \\ud83d'", "half \u{fffd}"),
    ] {
        let seen = inline(&mut peer, &format!("export default () => {{ throw {thrown}; }}"), "{}");
        assert_eq!(seen.error().message, message, "{thrown}: {:?}", seen.error());
        assert!(!seen.error().stack.contains(HALF));
    }
}

#[test]
fn memory_that_is_still_held_when_it_is_out_is_named_too() {
    let examples = examples();
    let mut peer = Start { memory_limit_mb: 32, ..Start::in_folder(&examples) }.ready();
    let held = "globalThis.all = []; export default () => { for (;;) globalThis.all.push({ n: globalThis.all.length }); }";
    for _ in 0..2 {
        let seen = peer.inline(held, &json!({}));
        assert_eq!(seen.error().kind, "OutOfMemory", "{:?}", seen.error());
    }
}

#[test]
fn what_a_rust_workflow_cannot_pass_on_is_refused_with_its_place() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let echo = peer.run_text("conformance.echo", CodeSource::Named, r#"{"a":["\u0000"]}"#);
    assert_eq!(echo.error().kind, "InvalidResult");
    let expected = "the result is refused: result.a[0] holds the character U+0000, which databases do not keep; remove it";
    assert_eq!(echo.error().message, expected);
    for (params, message) in [
        (r#"{"key":"k\u0000","value":1}"#, "state.set is refused: key holds the character U+0000"),
        (r#"{"key":"k","value":{"a b":["x\u0000"]}}"#, r#"state.set is refused: value["a b"][0] holds"#),
    ] {
        let call = format!(r#"{{"method":"state.set","params":{params}}}"#);
        let seen = peer.run_text("conformance.call", CodeSource::Named, &call);
        assert_eq!((seen.error().kind.as_str(), seen.error().retryable), ("InvalidValue", Some(false)));
        assert!(seen.error().message.starts_with(message), "{:?}", seen.error());
    }
}
