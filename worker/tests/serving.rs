//! The conversation between the real worker and a supervisor.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]

mod support;

use std::time::{Duration, Instant};

use muster_protocol::{CallResult, CancelReason, CodeSource, ErrorInfo, RunOutcome, ToSupervisor, ToWorker};
use serde_json::{Value, json};
use support::examples;
use support::start::Start;

#[test]
fn a_version_nobody_shares_ends_with_71() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).spawn();
    assert!(matches!(peer.next(), ToSupervisor::Hello { protocol_min: 1, protocol_max: 1, .. }));
    peer.send(&ToWorker::Welcome {
        protocol: 2,
        worker_id: String::new(),
        features: Vec::new(),
        max_frame_bytes: 16_777_215,
        log_level: muster_protocol::LogLevel::Info,
        config: muster_protocol::JsonBytes::NONE,
    });
    assert_eq!(peer.exit().code(), Some(71));
    peer.wait_for_stderr("version 2");
}

#[test]
fn a_supervisor_that_breaks_the_protocol_ends_the_worker_with_65() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let run = peer.execute("conformance.sleep", &json!({ "seconds": 60 }));
    peer.wait_started(run);
    peer.execute("conformance.echo", &json!({}));
    assert_eq!(peer.exit().code(), Some(65));
    peer.wait_for_stderr("the supervisor sent run 2 while run 1 is under way");
}

#[test]
fn an_idle_worker_leaves_when_the_supervisor_is_gone() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let closed = Instant::now();
    peer.close();
    assert_eq!(peer.exit().code(), Some(0));
    assert!(closed.elapsed() < Duration::from_millis(500), "{:?}", closed.elapsed());
}

#[test]
fn a_busy_worker_leaves_when_the_supervisor_is_gone() {
    let examples = examples();
    for (workflow, params) in [
        ("forever", json!({})),
        ("conformance.sleep", json!({ "seconds": 60 })),
        ("conformance.ignore_cancel", json!({ "seconds": 60 })),
        ("conformance.call", json!({ "method": "state.get", "params": { "key": "x" } })),
    ] {
        let mut peer = Start::in_folder(&examples).ready();
        let run = peer.execute(workflow, &params);
        peer.wait_started(run);
        let closed = Instant::now();
        peer.close();
        peer.exit();
        assert!(closed.elapsed() < Duration::from_secs(2), "{workflow}: {:?}", closed.elapsed());
    }
}

#[test]
fn drain_finishes_what_runs_and_says_goodbye() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let run = peer.execute("conformance.sleep", &json!({ "seconds": 0.1 }));
    peer.wait_started(run);
    peer.send(&ToWorker::Drain { reason: "recycled".to_owned(), grace_ms: 1000 });
    assert!(matches!(peer.collect(run).outcome, RunOutcome::Succeeded { .. }));
    assert_eq!(peer.next(), ToSupervisor::Goodbye { reason: "recycled".to_owned() });
    assert_eq!(peer.exit().code(), Some(0));

    let mut peer = Start::in_folder(&examples).ready();
    peer.send(&ToWorker::Drain { reason: "idle".to_owned(), grace_ms: 1000 });
    assert_eq!(peer.next(), ToSupervisor::Goodbye { reason: "idle".to_owned() });
    assert_eq!(peer.exit().code(), Some(0));
}

#[test]
fn pings_and_dumps_are_answered_at_any_time() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    peer.send(&ToWorker::Ping { nonce: 1 });
    assert_eq!(peer.next(), ToSupervisor::Pong { nonce: 1 });
    for (workflow, params) in [
        ("forever", json!({})),
        ("conformance.sleep", json!({ "seconds": 60 })),
        ("conformance.ignore_cancel", json!({ "seconds": 0.5 })),
    ] {
        let run = peer.execute(workflow, &params);
        peer.wait_started(run);
        peer.send(&ToWorker::Ping { nonce: 2 });
        assert_eq!(peer.next(), ToSupervisor::Pong { nonce: 2 }, "{workflow}");
        peer.send(&ToWorker::Dump { run });
        match peer.next() {
            ToSupervisor::Stacks { text, .. } => assert!(text.starts_with(workflow), "{text}"),
            other => panic!("{other:?}"),
        }
        peer.cancel(run, CancelReason::User);
        let seen = peer.collect(run);
        assert!(matches!(seen.outcome, RunOutcome::Cancelled { .. }), "{workflow}: {:?}", seen.outcome);
    }
}

#[test]
fn native_code_that_waits_is_cancelled_at_once() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let run = peer.execute("conformance.sleep", &json!({ "seconds": 60 }));
    peer.wait_started(run);
    peer.cancel(run, CancelReason::User);
    let seen = peer.collect(run);
    assert_eq!(seen.cancelled(), "cancelled");
    assert!(seen.took < Duration::from_millis(200), "{:?}", seen.took);
}

#[test]
fn what_was_read_together_with_an_execute_is_not_overlooked() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for (source, workflow) in [
        (CodeSource::Named, "conformance.sleep"),
        (
            CodeSource::Inline {
                language: String::new(),
                code: b"export default (p, ctx) => ctx.sleep(1e6)".to_vec().into(),
            },
            "x",
        ),
        (CodeSource::Named, "forever"),
    ] {
        let execute = peer.execute_message(workflow, source, &json!({ "seconds": 60 }), 0);
        let ToWorker::Execute { run, .. } = execute else { panic!("an Execute") };
        let cancel = ToWorker::Cancel {
            run,
            reason: CancelReason::User,
            message: "at once".to_owned(),
            grace_ms: 1000,
        };
        peer.send_together(&[execute, cancel]);
        let seen = peer.collect(run);
        assert!(seen.cancelled().starts_with("cancelled: at once"), "{workflow}: {:?}", seen.outcome);
    }
}

/// The second thread takes over the reading about 2 ms into a native run, and gives it back at its end: here
/// runs end, ask, and are cancelled and pinged around that moment.
#[test]
fn handing_the_reading_over_loses_nothing() {
    let seed = std::env::var("MUSTER_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut state: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("replay with MUSTER_SEED={state}");
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for nonce in 0..600 {
        let (workflow, params) = match below(3) {
            0 => ("conformance.sleep", json!({ "seconds": below(4000) as f64 / 1e6 })),
            1 => ("conformance.call", json!({ "method": "state.get", "params": {}, "count": below(5) })),
            _ => ("conformance.echo", json!({})),
        };
        let run = peer.execute(workflow, &params);
        let pause = Instant::now() + Duration::from_micros(below(4000));
        while Instant::now() < pause {
            std::hint::spin_loop();
        }
        peer.send(&ToWorker::Ping { nonce });
        if below(3) == 0 {
            peer.cancel(run, CancelReason::User);
        }
        let mut owed = vec!["Started", "Finished", "Idle", "Pong"];
        while !owed.is_empty() {
            let message = peer.next();
            owed.retain(|name| *name != message.name());
            if let ToSupervisor::Call { run, call, .. } = message {
                let result = CallResult::Ok { value: muster_protocol::JsonBytes::NONE };
                peer.send(&ToWorker::Reply { run, call, result });
            }
        }
    }
}

#[test]
fn frames_for_a_run_that_has_ended_change_nothing() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let first = peer.execute("conformance.echo", &json!({}));
    peer.collect(first);
    peer.cancel(first, CancelReason::User);
    let second = peer.execute("conformance.call", &json!({ "method": "state.get", "count": 1 }));
    peer.wait_started(second);
    let ToSupervisor::Call { call, .. } = peer.next() else { panic!("a call is due") };
    peer.cancel(first, CancelReason::User);
    let wrong = CallResult::Err { error: ErrorInfo::new("Wrong", "a reply of another run") };
    peer.send(&ToWorker::Reply { run: first, call, result: wrong.clone() });
    peer.send(&ToWorker::Reply { run: second, call: 999, result: wrong });
    let right = CallResult::Ok { value: muster_protocol::JsonBytes::of("right") };
    peer.send(&ToWorker::Reply { run: second, call, result: right });
    assert_eq!(peer.collect(second).result(), json!(["right"]));
}

#[test]
fn nothing_user_code_prints_gets_between_the_frames() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    for (workflow, params, expected) in [
        ("conformance.print", json!({ "text": "from println", "count": 3 }), "from println\nfrom println\n"),
        ("conformance.raw_print", json!({ "text": "from write\n" }), "from write"),
        ("conformance.child_print", json!({ "text": "from a child" }), "from a child"),
    ] {
        peer.run(workflow, &params).result();
        peer.wait_for_stderr(expected);
    }
    assert_eq!(peer.run("conformance.stdin", &json!({})).result(), json!(""));
}

#[test]
fn the_conformance_workflows_do_what_the_protocol_says() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    assert_eq!(peer.run("conformance.echo", &json!({ "a": [1] })).result(), json!({ "a": [1] }));
    let seen = peer.run("conformance.fail", &json!({ "kind": "Odd", "message": "so it is" }));
    assert_eq!((seen.error().kind.as_str(), seen.error().message.as_str()), ("Odd", "so it is"));
    let seen = peer.run("conformance.log", &json!({ "count": 1000 }));
    assert_eq!(seen.messages(), (0..1000).map(|i| format!("line {i}")).collect::<Vec<_>>());
    let seen = peer
        .run("conformance.call", &json!({ "method": "state.get", "params": { "key": "k" }, "count": 100 }));
    assert_eq!(seen.result(), json!(vec![json!({ "key": "k" }); 100]));
    assert_eq!(
        peer.run("conformance.big", &json!({ "bytes": 100_000 })).result().as_str().unwrap().len(),
        100_000
    );
    let seen = peer.run("conformance.big", &json!({ "bytes": 17_000_000 }));
    assert_eq!(seen.error().kind, "ResultTooLarge");
    let seen = peer.run("conformance.sleep", &json!({ "seconds": "x" }));
    assert_eq!(seen.error().kind, "InvalidParameters");

    let run = peer.execute("conformance.exit", &json!({ "code": 7 }));
    peer.wait_started(run);
    assert_eq!(peer.exit().code(), Some(7));
    let mut peer = Start::in_folder(&examples).ready();
    let run = peer.execute("conformance.crash", &json!({}));
    peer.wait_started(run);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&peer.exit()), Some(9));
}

#[test]
fn the_conformance_workflows_are_offered_on_request_only() {
    let examples = examples();
    let mut peer = Start { conformance: false, ..Start::in_folder(&examples) }.ready();
    assert!(peer.workflows.iter().all(|name| !name.contains('.')), "{:?}", peer.workflows);
    peer.run("conformance.echo", &json!({})).rejected();
}

/// The pipes a process holds at or above a descriptor number.
fn pipes(pid: &str, from: u32) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let beyond = entries.filter(|fd| fd.file_name().to_str().unwrap().parse::<u32>().unwrap() >= from);
    let targets = beyond.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    targets.filter(|target| target.to_str().unwrap().starts_with("pipe:")).collect()
}

/// The environment of a process; it is empty for a moment while the process is being started.
fn environ_of(pid: &Value) -> String {
    let end = Instant::now() + support::PATIENCE;
    loop {
        let environ = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        if !environ.is_empty() {
            return environ;
        }
        assert!(Instant::now() < end, "process {pid} has no environment");
        std::thread::yield_now();
    }
}

#[test]
fn user_code_sees_neither_the_workers_variables_nor_its_line() {
    // What this test was itself given to inherit is not the worker's.
    let inherited = pipes("self", 0);
    let examples = examples();
    let mut peer = Start { env: &[("OTHER", "stays")], ..Start::in_folder(&examples) }.ready();
    let child = peer.run("conformance.hold_pipes", &json!({ "seconds": 5 })).result();
    let environ = environ_of(&child);
    assert!(environ.contains("OTHER=stays") && !environ.contains("MUSTER_"), "{environ}");

    let mut line = pipes(&peer.child.id().to_string(), 3);
    line.retain(|pipe| !inherited.contains(pipe));
    assert_eq!(line.len(), 2);
    for held in pipes(&child.to_string(), 0) {
        assert!(!line.contains(&held), "a child of the workflow holds an end of the line");
    }
}

#[test]
fn json_lines_say_the_same() {
    let examples = examples();
    let mut peer = Start { json: true, ..Start::in_folder(&examples) }.ready();
    let seen = peer.run("hello", &json!({ "name": "Ada" }));
    assert_eq!(seen.result(), json!({ "greeting": "Hello, Ada!" }));
    assert_eq!(seen.messages(), ["greeting Ada"]);
    let seen = peer.inline("export default (p) => p.text", &json!({ "text": "two\nlines" }));
    assert_eq!(seen.result(), json!("two\nlines"));
}

#[test]
fn a_thousand_executions_leave_nothing_behind() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let proc = format!("/proc/{}", peer.child.id());
    let count = |what: &str| std::fs::read_dir(format!("{proc}/{what}")).unwrap().count();
    let rss_pages = || -> usize {
        let statm = std::fs::read_to_string(format!("{proc}/statm")).unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let round = |peer: &mut support::Peer| {
        peer.run("hello", &json!({ "name": "Ada" })).result();
        peer.run("conformance.echo", &json!({})).result();
        peer.run("conformance.sleep", &json!({ "seconds": 0 })).result();
        peer.run("broken", &json!({})).error();
        peer.inline("export default async (p, ctx) => { globalThis.x = new Array(1000); ctx.y; await ctx.sleep(0); setTimeout(() => 1, 1e6) }", &json!({})).result();
    };
    for _ in 0..20 {
        round(&mut peer);
    }
    let (fds, threads, before) = (count("fd"), count("task"), rss_pages());
    for _ in 0..200 {
        round(&mut peer);
    }
    assert_eq!((count("fd"), count("task")), (fds, threads));
    let grown = rss_pages().saturating_sub(before) * 4096;
    assert!(grown < 4 * 1024 * 1024, "the worker grew by {grown} bytes");
}

#[test]
fn a_worker_that_cannot_start_says_why() {
    let mut peer = Start::in_folder(std::path::Path::new("/nowhere")).spawn();
    assert!(matches!(peer.next(), ToSupervisor::Hello { .. }));
    peer.send(&ToWorker::Welcome {
        protocol: 1,
        worker_id: String::new(),
        features: Vec::new(),
        max_frame_bytes: 16_777_215,
        log_level: muster_protocol::LogLevel::Info,
        config: muster_protocol::JsonBytes::of(&json!({ "workflows_dir": 7 })),
    });
    assert_eq!(peer.exit().code(), Some(65));
    peer.wait_for_stderr("Welcome.config cannot be read");
}

#[test]
fn the_outcome_and_idle_come_with_their_numbers() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let run = peer.execute("conformance.sleep", &json!({ "seconds": 0.05 }));
    peer.wait_started(run);
    match peer.next() {
        ToSupervisor::Finished { metrics, .. } => {
            assert!((50_000..500_000).contains(&metrics.wall_us), "{metrics:?}");
            assert!(metrics.peak_rss_bytes > 1024 * 1024, "{metrics:?}");
        }
        other => panic!("{other:?}"),
    }
    match peer.next() {
        ToSupervisor::Idle { rss_bytes, recycle, .. } => assert!(rss_bytes > 1024 * 1024 && !recycle),
        other => panic!("{other:?}"),
    }
    let _: Value = peer.run("conformance.echo", &json!(1)).result();
}
