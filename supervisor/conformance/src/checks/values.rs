//! Values: what comes back is what was sent, or a refusal with a name; a log never fails a run.
//!
//! A language need not hold every number. It must not change one in silence.

use muster_protocol::compare::is_same_value;
use muster_protocol::limits::{LOG_MESSAGE_MAX_BYTES, PROGRESS_MESSAGE_MAX_BYTES};
use muster_protocol::{JsonBytes, RunOutcome, ToSupervisor, ToWorker};
use serde_json::{Value, json};

use crate::bench::Workbench;
use crate::failure::{CheckFailure, Checked};
use crate::session::{WorkerSession, brief, shown};

/// A JSON text that a progress message or a log message may be made of.
const UNREADABLE: &str = r#""half \ud83d, \u0000 and \ude00""#;

pub(crate) async fn values(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let values = [
        json!(true),
        json!(0),
        json!(-1.5),
        json!(9_007_199_254_740_991_i64),
        json!(""),
        json!([]),
        json!({}),
        json!([[1, [2, [3, { "deep": [null] }]]]]),
        json!({ "größer als": "10 €", "astral": "\u{1f980}\u{10ffff}", "control": "\u{1}\u{1f}\u{7f}" }),
        json!("line\nline\r\n\ttab \"quoted\" back\\slash \u{2028}\u{2029} {\"Finished\":{\"run\":1}}"),
    ];
    for value in values {
        let ended = session.run("echo", &value).await?;
        session.must_return(&ended, &value, "conformance.echo").await?;
    }
    Ok(())
}

/// No parameters read as null.
pub(crate) async fn no_params(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, mut execute) = session.execute("echo", &Value::Null);
    if let ToWorker::Execute { params, context, .. } = &mut execute {
        (*params, *context) = (JsonBytes::NONE, JsonBytes::NONE);
    }
    session.send(&execute).await?;
    let ended = session.whole(run).await?;
    session.must_return(&ended, &Value::Null, "an echo of no params").await
}

pub(crate) async fn numbers(bench: &Workbench) -> Checked {
    let numbers = [
        "106.18129360834155",
        "0.12345678901234568",
        "0.30000000000000004",
        "5e-324",
        "1.7976931348623157e308",
        "1e22",
        "8.41e21",
        "-0.0",
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775808",
        "18446744073709551616",
        "12345678901234567890123",
        r#"{"zz":[12345678901234567890123,-0.0],"aa":106.18129360834155}"#,
    ];
    must_be_kept_or_refused(bench, &numbers).await
}

pub(crate) async fn texts(bench: &Workbench) -> Checked {
    let texts = [
        r#""\ud83d\ude00 \uD83D\uDE00""#,
        r#""\\ud83d \\u0000 \u0001 \u2028""#,
        r#"{"zz":1,"aa":2,"10":3,"9":4}"#,
        r#"{"__proto__":{"x":1},"constructor":2,"":3,"a.b":4}"#,
        r#"{"params":{"context":1},"context":{"params":2}}"#,
    ];
    must_be_kept_or_refused(bench, &texts).await
}

/// What no store keeps and no double holds. It may be refused, and it may come back; the worker lives.
pub(crate) async fn unfit(bench: &Workbench) -> Checked {
    let deep = "[".repeat(513) + &"]".repeat(513);
    let large = format!("1{}", "0".repeat(400));
    let texts =
        [r#"{"half":"\ud83d"}"#, r#"{"\ude00":1}"#, r#"["\u0000"]"#, "1e400", "[-1e400]", &large, &deep];
    must_be_kept_or_refused(bench, &texts).await
}

async fn must_be_kept_or_refused(bench: &Workbench, texts: &[&str]) -> Checked {
    let mut session = bench.ready().await?;
    for text in texts {
        let (run, mut execute) = session.execute("echo", &Value::Null);
        if let ToWorker::Execute { params, .. } = &mut execute {
            *params = JsonBytes::from(*text);
        }
        session.send(&execute).await?;
        let ended = session.whole(run).await?;
        let right = match &ended.outcome {
            RunOutcome::Succeeded { result } => {
                std::str::from_utf8(&result.0).is_ok_and(|result| is_same_value(text, result))
            }
            RunOutcome::Failed { error } => !error.kind.is_empty() && !error.message.is_empty(),
            RunOutcome::Cancelled { .. } | RunOutcome::Rejected { .. } => false,
        };
        if !right {
            let expected = format!(
                "an echo of {} returns the same value, or fails with a kind and a message",
                brief(text)
            );
            return Err(session.fault(expected, brief(&format!("{:?}", ended.outcome))).await);
        }
    }
    session.still_works("values of every kind").await
}

/// A log or progress call with anything in it. It reaches the supervisor in bounds, and the run succeeds.
pub(crate) async fn telling(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let long = json!("x".repeat(1024)).to_string();
    for (text, times, count) in [
        (UNREADABLE, 1, "3"),
        (long.as_str(), 2_000, "18446744073709551616"),
        (r#""x""#, 1, "-1"),
        (r#""x""#, 1, "0.5"),
        (r#""x""#, 1, r#""no count""#),
        (r#""x""#, 1, "null"),
    ] {
        let told = format!(r#"{{"text":{text},"times":{times},"count":{count}}}"#);
        let (run, mut execute) = session.execute("tell", &Value::Null);
        if let ToWorker::Execute { params, .. } = &mut execute {
            *params = JsonBytes::from(told.clone());
        }
        session.send(&execute).await?;
        session.started(run).await?;
        must_hear_it(&mut session, run, &told).await?;
    }
    session.still_works("logs and progress of every kind").await
}

async fn must_hear_it(session: &mut WorkerSession, run: u32, told: &str) -> Result<(), CheckFailure> {
    let expected = format!("conformance.tell {} succeeds, whatever it logs and reports", brief(told));
    let mut records = 0;
    loop {
        match session.expect_message(&expected).await? {
            ToSupervisor::Log { run: logging, records: batch } if logging == run => {
                for record in &batch {
                    if record.message.len() > LOG_MESSAGE_MAX_BYTES {
                        let seen = format!("{} bytes", record.message.len());
                        return Err(session.fault("a log record of at most 64 KiB", seen).await);
                    }
                    if let Err(problem) = record.fields.parse::<Value>() {
                        let expected = "log fields that are JSON, with U+FFFD for half of a surrogate pair";
                        let seen = format!("{:?}: {problem}", record.fields);
                        return Err(session.fault(expected, seen).await);
                    }
                }
                records += batch.len();
            }
            ToSupervisor::Progress { run: going, message, .. } if going == run => {
                if message.len() > PROGRESS_MESSAGE_MAX_BYTES {
                    let seen = format!("{} bytes", message.len());
                    return Err(session.fault("a progress message of at most 1 KiB", seen).await);
                }
            }
            ToSupervisor::Finished { run: finished, outcome: RunOutcome::Succeeded { .. }, .. }
                if finished == run =>
            {
                if records != 1 {
                    return Err(session.fault("one log record", format!("{records}")).await);
                }
                return session.idle(run).await.map(|_recycle| ());
            }
            other => return Err(session.fault(expected, shown(&other)).await),
        }
    }
}
