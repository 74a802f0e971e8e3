//! The rogue worker behaves without flags, and each flag is the sin it says: what the other suites rely on.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Incoming, WireError};
use muster_protocol::{CancelReason, JsonBytes, RunOutcome, ToSupervisor, ToWorker};
use muster_tests::{Dialogue, eventually, process, rogue};
use serde_json::json;

type Next = Result<Option<Incoming<ToSupervisor>>, WireError>;

fn message(message: ToSupervisor) -> Option<Incoming<ToSupervisor>> {
    Some(Incoming::Message(Decoded::Message(message)))
}

fn started(flags: &[&str]) -> Dialogue {
    let mut worker = Dialogue::start(&rogue(flags));
    worker.handshake();
    worker.execute(1, "echo", &json!([1]));
    assert_eq!(worker.message(), ToSupervisor::Started { run: 1 });
    worker
}

fn is_echo(message: &ToSupervisor, run: u32) -> bool {
    let echo = RunOutcome::Succeeded { result: JsonBytes::of(&[1]) };
    matches!(message, ToSupervisor::Finished { run: of, outcome, .. } if *of == run && *outcome == echo)
}

#[test]
fn it_behaves_in_both_spellings() {
    for flags in [&[][..], &["--json-lines"]] {
        let mut worker = started(flags);
        assert!(is_echo(&worker.message(), 1));
        assert!(matches!(worker.message(), ToSupervisor::Idle { run: 1, .. }));
        worker.execute(2, "sleep", &json!({ "seconds": 60 }));
        assert_eq!(worker.message(), ToSupervisor::Started { run: 2 });
        worker.say(&ToWorker::Ping { nonce: 5 });
        assert_eq!(worker.message(), ToSupervisor::Pong { nonce: 5 });
        worker.say(&ToWorker::Cancel {
            run: 2,
            reason: CancelReason::User,
            message: "enough".into(),
            grace_ms: 1,
        });
        let cancelled = worker.message();
        let expected = RunOutcome::Cancelled { message: "enough".into() };
        assert!(matches!(cancelled, ToSupervisor::Finished { run: 2, outcome, .. } if outcome == expected));
        assert!(matches!(worker.message(), ToSupervisor::Idle { run: 2, .. }));
        worker.execute(3, "log", &json!({ "count": 300 }));
        assert_eq!(worker.message(), ToSupervisor::Started { run: 3 });
        assert!(matches!(worker.message(), ToSupervisor::Log { run: 3, records } if records.len() == 256));
        assert!(matches!(worker.message(), ToSupervisor::Log { run: 3, records } if records.len() == 44));
        assert!(matches!(worker.message(), ToSupervisor::Finished { log_records: 300, .. }));
        assert!(matches!(worker.message(), ToSupervisor::Idle { run: 3, .. }));
        worker.say(&ToWorker::Drain { reason: "recycled".into(), grace_ms: 0 });
        assert_eq!(worker.message(), ToSupervisor::Goodbye { reason: "recycled".into() });
        assert!(worker.exit().success());
    }
}

#[test]
fn sins_at_the_start() {
    let mut printing = Dialogue::start(&rogue(&["--print-before-hello", "hi"]));
    assert_eq!(printing.incoming().unwrap(), Some(Incoming::Preamble("hi".into())));
    printing.handshake();

    let mut exiting = Dialogue::start(&rogue(&["--exit-at-once", "7"]));
    assert_eq!(exiting.incoming().unwrap(), None);
    assert_eq!(exiting.exit().code(), Some(7));

    let mut later = Dialogue::start(&rogue(&["--wrong-version"]));
    assert!(matches!(later.message(), ToSupervisor::Hello { protocol_min: 99, .. }));
    later.hang_up();
    assert_eq!(later.exit().code(), Some(71));

    let mut flooding = Dialogue::start(&rogue(&["--flood-before-hello", "70000"]));
    let error = loop {
        match flooding.incoming() {
            Ok(Some(Incoming::Preamble(_))) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, WireError::PreambleTooLong { .. }));
}

#[test]
fn sins_on_the_wire() {
    type Check = fn(Next) -> bool;
    let cases: [(&[&str], Check); 5] = [
        (
            &["--print-during-run", "hi"],
            |next| matches!(next, Err(WireError::Polluted { quoted }) if quoted == "hi\n"),
        ),
        (&["--hostile-length"], |next| matches!(next, Err(WireError::Polluted { .. }))),
        (&["--zero-length"], |next| matches!(next, Err(WireError::BadLength(_)))),
        (&["--bad-body"], |next| matches!(next, Err(WireError::Codec(_)))),
        (&["--hostile-inner-length"], |next| matches!(next, Err(WireError::Codec(_)))),
    ];
    for (flags, check) in cases {
        let next = started(flags).incoming();
        let shown = format!("{flags:?}: {next:?}");
        assert!(check(next), "{shown}");
    }
    let mut half = started(&["--half-frame"]);
    half.hang_up();
    assert!(matches!(half.incoming(), Err(WireError::Truncated { .. })));

    let mut newer = started(&["--unknown-message"]);
    assert!(matches!(newer.incoming(), Ok(Some(Incoming::Message(Decoded::Unknown { .. })))));
    assert!(is_echo(&newer.message(), 1));
}

#[test]
fn sins_about_the_end() {
    let mut twice = started(&["--second-finished"]);
    assert!(is_echo(&twice.message(), 1));
    assert!(matches!(twice.message(), ToSupervisor::Finished { run: 1, .. }));

    let mut again = started(&["--started-after-finished"]);
    assert!(is_echo(&again.message(), 1));
    assert_eq!(again.message(), ToSupervisor::Started { run: 1 });

    let mut leaving = started(&["--exit-after-finished"]);
    assert!(is_echo(&leaving.message(), 1));
    assert_eq!(leaving.incoming().unwrap(), None);
    assert!(leaving.exit().success());

    let mut crashing = started(&["--crash-after-started"]);
    assert_eq!(crashing.incoming().unwrap(), None);
    assert_eq!(crashing.exit().signal(), Some(9));

    let mut silent = started(&["--never-idle"]);
    assert!(is_echo(&silent.message(), 1));
    silent.hang_up();
    assert_eq!(
        silent.incoming().unwrap(),
        message(ToSupervisor::Idle { run: 1, rss_bytes: 0, recycle: false })
    );
}

#[test]
fn sins_only_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let once = folder.path().join("once");
    let flags = ["--crash-after-started", "--only", "bad", "--once", once.to_str().unwrap()];
    let mut good = started(&flags);
    assert!(is_echo(&good.message(), 1));
    assert!(matches!(good.message(), ToSupervisor::Idle { .. }));
    good.execute(2, "bad", &json!([1]));
    assert_eq!(good.message(), ToSupervisor::Started { run: 2 });
    assert_eq!(good.incoming().unwrap(), None);
    let mut reformed = Dialogue::start(&rogue(&flags));
    reformed.handshake();
    reformed.execute(1, "bad", &json!([1]));
    assert_eq!(reformed.message(), ToSupervisor::Started { run: 1 });
    assert!(is_echo(&reformed.message(), 1));
}

#[test]
fn a_deaf_worker_survives_sigterm_and_the_end_of_stdin() {
    let mut deaf = started(&["--ignore-cancel"]);
    let id = deaf.id();
    let mask = || std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let ignored = mask().lines().find_map(|line| line.strip_prefix("SigIgn:").map(str::to_owned)).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_ne!(ignored & (1 << 14), 0, "SIGTERM is number 15");
    deaf.hang_up();
    process::signal(id, rustix::process::Signal::TERM);
    process::signal(id, rustix::process::Signal::KILL);
    eventually("the worker is dead", Duration::from_secs(5), || !process::is_alive(id));
}
