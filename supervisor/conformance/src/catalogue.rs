//! Every check there is, in the order in which a worker grows.

use futures_util::FutureExt as _;
use muster_protocol::feature;

use super::check::CheckNeed::{Feature, Frames, Lines, Workflow};
use super::check::{Check, CheckGroup, CheckNeed};
use super::checks::{
    calls, cancel, describe, drain, ending, execution, framing, growth, handshake, isolation, log, streams,
    template, values, watching,
};

/// A check as it is listed.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The name of the check, by which it can be asked for.
    pub name: &'static str,
    /// The subject of the check.
    pub group: CheckGroup,
    /// What it holds the worker to.
    pub promise: &'static str,
}

/// Describes all checks, in the order in which they run.
pub fn describe() -> Vec<Description> {
    let described =
        |check: Check| Description { name: check.name, group: check.group, promise: check.promise };
    all().into_iter().map(described).collect()
}

/// What nearly all checks build on.
const BASE: &str = "echo";

/// One line of the catalogue: name, what it builds on if that is not the base, promise, needs, conversation.
macro_rules! checks {
    (@after $after:literal) => { Some($after) };
    (@after) => { Some(BASE) };
    ($group:ident: $($name:literal $(after $after:literal)?, $promise:literal, [$($need:expr),*], $run:path;)*) => {
        [$(Check {
            name: $name,
            group: CheckGroup::$group,
            promise: $promise,
            after: checks!(@after $($after)?),
            needs: { const NEEDS: &[CheckNeed] = &[$($need),*]; NEEDS },
            run: |bench| $run(bench).boxed(),
        }),*]
    };
}

/// Each stands behind what it builds on.
pub(super) fn all() -> Vec<Check> {
    foundation()
        .into_iter()
        .chain(handshake_and_framing())
        .chain(values_and_runs())
        .chain(features())
        .chain(isolation())
        .chain(template())
        .collect()
}

fn foundation() -> Vec<Check> {
    let [hello, ready] = checks! { Handshake:
        "hello", "says Hello first, with version 1 among its versions", [], handshake::hello;
        "ready" after "hello", "says Ready after Welcome", [], handshake::ready;
    };
    let [echo] = checks! { Execution:
        "echo" after "ready", "says Started, Finished with the result, and Idle", [Workflow("echo")],
            execution::echo;
    };
    vec![Check { after: None, ..hello }, ready, echo]
}

fn handshake_and_framing() -> Vec<Check> {
    let handshake = checks! { Handshake:
        "slow-welcome", "waits in silence for a late Welcome", [], handshake::slow_welcome;
        "no-welcome", "leaves when stdin ends in place of Welcome", [], handshake::no_welcome;
        "version-mismatch", "exits with 71 when the versions have none in common", [], handshake::version_mismatch;
        "init-failed", "says InitFailed when it cannot start, and exits with 69", [], handshake::init_failed;
    };
    let framing = checks! { Framing:
        "single-bytes", "reads an Execute that comes byte by byte", [], framing::single_bytes;
        "split-messages" after "single-bytes", "reads a message cut at any place", [], framing::split_messages;
        "joined-messages", "reads several messages that come in one write", [], framing::joined_messages;
        "unknown-messages", "skips messages of later versions", [], framing::unknown_messages;
        "unknown-fields", "ignores fields it does not know", [Lines], framing::unknown_fields;
        "large-params" after "single-bytes", "takes and returns 1 MiB", [], framing::large_params;
        "slow-reader" after "large-params", "waits for a supervisor that reads slowly", [], framing::slow_reader;
        "empty-frame", "leaves when a frame has no bytes", [Frames], framing::empty_frame;
        "broken-frame", "leaves when a message breaks off", [Frames], framing::broken_frame;
        "invalid-utf8", "survives code that is not UTF-8", [Frames], framing::invalid_utf8;
    };
    handshake.into_iter().chain(framing).collect()
}

fn values_and_runs() -> Vec<Check> {
    let values = checks! { Values:
        "values", "carries every kind of JSON value unchanged", [], values::values;
        "no-params", "reads empty params as null", [], values::no_params;
        "numbers", "returns each number as it came, or refuses it by name", [], values::numbers;
        "texts", "returns each text and key as it came, or refuses it by name", [], values::texts;
        "unfit", "changes nothing of what cannot be kept, and survives it", [], values::unfit;
        "telling", "logs and reports anything, in bounds, and never fails for it",
            [Feature(feature::LOG), Feature(feature::PROGRESS), Workflow("tell")], values::telling;
    };
    let execution = checks! { Execution:
        "failure", "tells kind and message of an error word for word", [Workflow("fail")], execution::failure;
        "unknown-workflow", "rejects a workflow it does not have", [], execution::unknown_workflow;
        "path-outside", "rejects a path that leaves the workflows folder", [], execution::path_outside;
        "in-a-row", "runs 200 executions one after another", [], execution::in_a_row;
        "growth", "leaves no descriptor and little memory behind in 1,000 executions", [], growth::growth;
        "big-result", "returns a result that just fits into a frame", [Workflow("big")], execution::big_result;
        "result-too-large", "says ResultTooLarge in place of a result that does not fit", [Workflow("big")],
            execution::result_too_large;
    };
    let streams = checks! { Streams:
        "print", "keeps prints off the wire", [Workflow("print")], streams::print;
        "raw-print", "keeps writes to descriptor 1 off the wire", [Workflow("raw_print")], streams::raw_print;
        "child-print", "keeps prints of child processes off the wire", [Workflow("child_print")],
            streams::child_print;
        "stdin", "gives user code an empty stdin", [Workflow("stdin")], streams::stdin;
        "held-pipes", "is not held up by a grandchild that lives on", [Workflow("hold_pipes")],
            streams::held_pipes;
    };
    let ending = checks! { Ending:
        "stdin-end-idle", "exits with 0 when stdin ends", [], ending::stdin_end_idle;
        "stdin-end-running", "leaves a run behind when stdin ends", [Workflow("sleep")], ending::stdin_end_running;
        "terminate-idle", "leaves on SIGTERM", [], ending::terminate_idle;
        "terminate-running", "ends a run on SIGTERM", [Workflow("sleep")], ending::terminate_running;
        "crash", "dies of a signal without another word", [Workflow("crash")], ending::crash;
        "exit", "lets user code's exit code be the process's", [Workflow("exit")], ending::exit;
    };
    values.into_iter().chain(execution).chain(streams).chain(ending).collect()
}

fn features() -> Vec<Check> {
    let log = checks! { Log:
        "log", "sends records in order and counts them", [Feature(feature::LOG), Workflow("log")], log::records;
        "long-log" after "log", "sends 5,000 records in batches", [Feature(feature::LOG), Workflow("log")], log::many_records;
        "agreed-features" after "log", "uses no feature that Welcome does not list", [Feature(feature::LOG), Workflow("log")],
            handshake::agreed_features;
    };
    let cancel = checks! { Cancel:
        "cancel-running", "ends a run within its grace", [Feature(feature::CANCEL), Workflow("sleep")],
            cancel::running;
        "cancel-idle", "ignores a Cancel of a run that is not there", [Feature(feature::CANCEL)], cancel::idle;
        "cancel-finishing" after "cancel-idle", "finishes once when a Cancel crosses the end", [Feature(feature::CANCEL)],
            cancel::finishing;
        "cancel-twice" after "cancel-running", "takes a second Cancel for none", [Feature(feature::CANCEL), Workflow("sleep")],
            cancel::twice;
        "cancel-ignored" after "cancel-running", "dies with its group when user code swallows everything",
            [Feature(feature::CANCEL), Workflow("ignore_cancel")], cancel::ignored;
        "deadline" after "cancel-running", "ends a run that is over its time", [Feature(feature::CANCEL), Workflow("sleep")],
            cancel::deadline;
    };
    let drain = checks! { Drain:
        "drain-idle", "says Goodbye and exits with 0", [Feature(feature::DRAIN)], drain::idle;
        "drain-running" after "drain-idle", "finishes what runs first", [Feature(feature::DRAIN), Workflow("sleep")], drain::running;
    };
    let calls = checks! { Calls:
        "call", "gives user code the Reply to its Call", [Feature(feature::CALL), Workflow("call")], calls::call;
        "calls-at-once" after "call", "has 64 Calls waiting, and matches Replies by number",
            [Feature(feature::CALL), Workflow("call")], calls::at_once;
        "unknown-method" after "call", "gives user code the error of a Call", [Feature(feature::CALL), Workflow("call")],
            calls::unknown_method;
        "late-reply" after "call", "ignores a Reply to nobody", [Feature(feature::CALL), Workflow("call")], calls::late_reply;
    };
    let watching = checks! { Watching:
        "ping-idle", "answers a Ping", [Feature(feature::PING)], watching::ping_idle;
        "ping-running" after "ping-idle", "answers a Ping while user code runs", [Feature(feature::PING), Workflow("sleep")],
            watching::ping_running;
        "dump", "says what user code is doing", [Feature(feature::DUMP), Workflow("sleep")], watching::dump;
    };
    let describe = checks! { Describe:
        "describe", "describes before Ready what the code declares", [Feature(feature::DESCRIBE), Workflow("declared")],
            describe::declared;
        "describe-unasked", "describes nothing when Welcome does not list it", [Feature(feature::DESCRIBE)],
            describe::unasked;
    };
    let log = log.into_iter().chain(cancel).chain(drain).chain(calls).chain(watching);
    log.chain(describe).collect()
}

fn isolation() -> Vec<Check> {
    let isolation = checks! { Isolation:
        "late-log", "logs what a run left behind under the number of no other run",
            [Feature(feature::LOG), Feature(feature::CALL), Workflow("linger"), Workflow("call")], isolation::late_log;
        "late-call", "refuses what a run left behind a call in the name of another",
            [Feature(feature::CALL), Workflow("linger"), Workflow("call")], isolation::late_call;
        "other-reply", "gives no run the Reply to a Call of the run before it",
            [Feature(feature::CALL), Feature(feature::CANCEL), Workflow("call")], isolation::other_reply;
        "put-back", "puts back what a run changed, or asks to be replaced",
            [Workflow("disturb"), Workflow("surroundings")], isolation::put_back;
        "bounded-loading", "goes on without a file that hangs while it is loaded", [], isolation::bounded_loading;
    };
    isolation.into_iter().collect()
}

/// The feature is offered only where there is a channel, so each of these looks for itself whether it is.
fn template() -> Vec<Check> {
    let template = checks! { Template:
        "template-fork", "makes a worker at each Fork, which is welcomed and runs", [], template::fork;
        "template-exited", "tells how a worker that it made has ended", [], template::exited;
        "template-leaving", "leaves its workers alone when it leaves", [], template::leaving;
    };
    template.into_iter().collect()
}
