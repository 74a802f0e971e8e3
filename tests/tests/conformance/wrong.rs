//! Wrong workers: each fails exactly its check, and the report says what was expected and what was seen.

use crate::kit::Kit;

/// A sin of `wrong.py`, the group of the check it must fail, and that check.
const SINS: [(&str, &str, &str); 46] = [
    ("versions-2-to-3", "handshake", "hello"),
    ("says-hello-twice", "handshake", "ready"),
    ("hasty", "handshake", "slow-welcome"),
    ("stays-before-welcome", "handshake", "no-welcome"),
    ("any-version", "handshake", "version-mismatch"),
    ("init-fails-with-1", "handshake", "init-failed"),
    ("hates-pieces", "framing", "single-bytes"),
    ("hates-halves", "framing", "split-messages"),
    ("one-message-per-read", "framing", "joined-messages"),
    ("chokes-on-later", "framing", "unknown-messages"),
    ("chokes-on-fields", "framing", "unknown-fields"),
    ("short-memory", "framing", "large-params"),
    ("interleaves", "framing", "slow-reader"),
    ("never-starts", "execution", "echo"),
    ("finishes-twice", "execution", "echo"),
    ("loses-control-characters", "values", "values"),
    ("empty-object", "values", "no-params"),
    ("cuts-messages", "execution", "failure"),
    ("runs-anything", "execution", "unknown-workflow"),
    ("runs-any-path", "execution", "path-outside"),
    ("forgets", "execution", "in-a-row"),
    ("leaks-descriptors", "execution", "growth"),
    ("leaks-memory", "execution", "growth"),
    ("small-frames", "execution", "big-result"),
    ("renames-too-large", "execution", "result-too-large"),
    ("prints", "streams", "print"),
    ("raw-prints", "streams", "raw-print"),
    ("child-prints", "streams", "child-print"),
    ("reads-stdin", "streams", "stdin"),
    ("leaks-pipes", "streams", "held-pipes"),
    ("ends-with-1", "ending", "stdin-end-idle"),
    ("stays-running", "ending", "stdin-end-running"),
    ("deaf-to-sigterm-idle", "ending", "terminate-idle"),
    ("deaf-to-sigterm-running", "ending", "terminate-running"),
    ("survives-crash", "ending", "crash"),
    ("hides-exit-codes", "ending", "exit"),
    ("shuffles-logs", "log", "log"),
    ("loses-logs", "log", "long-log"),
    ("logs-anyway", "log", "agreed-features"),
    ("deaf-to-cancel", "cancel", "cancel-running"),
    ("keeps-early-cancels", "cancel", "cancel-idle"),
    ("finishes-twice-when-cancelled", "cancel", "cancel-finishing"),
    ("dies-of-the-second-cancel", "cancel", "cancel-twice"),
    ("escapes", "cancel", "cancel-ignored"),
    ("early-deadline", "cancel", "deadline"),
    ("says-no-goodbye", "drain", "drain-idle"),
];

/// The others, so that neither list is too long to read.
const MORE_SINS: [(&str, &str, &str); 25] = [
    ("leaves-with-3", "drain", "drain-idle"),
    ("drops-the-run", "drain", "drain-running"),
    ("misspells-methods", "calls", "call"),
    ("one-call-at-a-time", "calls", "calls-at-once"),
    ("mixes-replies", "calls", "calls-at-once"),
    ("renames-errors", "calls", "unknown-method"),
    ("takes-any-reply", "calls", "late-reply"),
    ("wrong-nonce", "watching", "ping-idle"),
    ("silent-while-running", "watching", "ping-running"),
    ("empty-stacks", "watching", "dump"),
    ("logs-for-another", "isolation", "late-log"),
    ("calls-for-another", "isolation", "late-call"),
    ("takes-replies-of-any-run", "isolation", "other-reply"),
    ("puts-nothing-back", "isolation", "put-back"),
    ("waits-for-files", "isolation", "bounded-loading"),
    ("rounds-numbers", "values", "numbers"),
    ("sorts-into-lists", "values", "texts"),
    ("mends-halves", "values", "unfit"),
    ("fails-for-a-count", "values", "telling"),
    ("logs-without-bounds", "values", "telling"),
    ("seconds-for-milliseconds", "describe", "describe"),
    ("describes-anyway", "describe", "describe-unasked"),
    ("keeps-its-id", "template", "template-fork"),
    ("tells-of-no-signal", "template", "template-exited"),
    ("takes-its-workers-along", "template", "template-leaving"),
];

fn fails_only(sin: &str, check: &str, flags: &[&str]) -> Result<(), String> {
    let kit = Kit::on_sinner(sin, flags);
    let failed = kit.with("failed");
    let names: Vec<_> = failed.keys().copied().collect();
    if names != [check] || kit.exit_code != Some(1) {
        return Err(format!("{sin} must fail {check}, but failed {failed:#?}"));
    }
    let told = failed.values().all(|entry| entry["expected"].is_string() && entry["seen"].is_string());
    if told { Ok(()) } else { Err(format!("{sin}: {failed:?} does not say what was expected and seen")) }
}

/// Sins of one group of checks, held to that group.
#[track_caller]
fn sins_about(group: &str) {
    let sins = SINS.iter().chain(&MORE_SINS).filter(|(_, about, _)| *about == group);
    let wrong: Vec<_> =
        sins.filter_map(|(sin, _, check)| fails_only(sin, check, &["--only", group]).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! groups {
    ($($group:ident),*) => {
        $(#[test]
        fn $group() {
            sins_about(stringify!($group));
        })*
    };
}

groups! { handshake, framing, values, execution, streams, ending, log, cancel, drain, calls, watching, describe, isolation, template }

#[test]
fn without_a_sin_nothing_fails() {
    let kit = Kit::on_sinner("none", &[]);
    assert!(kit.with("failed").is_empty(), "{:#?}", kit.with("failed"));
    assert_eq!((&kit.report["level"], kit.exit_code), (&7.into(), Some(0)));
}

/// What a level builds on can be missing, and the levels below still count.
#[test]
fn the_level_is_that_of_what_passed() {
    let kit = Kit::on_sinner("leaves-with-3", &[]);
    assert_eq!((&kit.report["level"], &kit.report["level_name"]), (&2.into(), &"cancel".into()));
}

/// The whole kit on every sin takes minutes; run it when a check or a sin changes.
#[test]
#[ignore = "takes minutes: cargo nextest run -p muster-tests --run-ignored all each_sin_fails_its_check_of_all"]
fn each_sin_fails_its_check_of_all() {
    let sins = SINS.iter().chain(&MORE_SINS);
    let wrong: Vec<_> = sins.filter_map(|(sin, _, check)| fails_only(sin, check, &[]).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
