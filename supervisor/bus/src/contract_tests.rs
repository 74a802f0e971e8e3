//! What every adapter of the bus must do, run on each of them; then what only Redis can show.

use std::time::Duration;

use bytes::Bytes;
use muster_core::execution::{Attempt, LogLine, LogStream, Status};
use serde_json::{Value, json};
use uuid::Uuid;

use super::test_redis::TestRedis;
use super::{
    AddressedCommand, Bus, BusError, BusEvent, CacheKey, Channel, ChannelSubscription, ControlCommand,
    OutcomeAnnouncement, StatusChange,
};

const LIMIT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);

fn attempt() -> Attempt {
    Attempt::new(Uuid::now_v7(), 1)
}

fn status(attempt: Attempt, status: Status) -> StatusChange {
    StatusChange::new(attempt, status, "2026-01-02T03:04:05Z".parse().unwrap())
}

fn line(sequence: u64) -> LogLine {
    LogLine {
        sequence,
        at_us: 1_500_000,
        level: "info".into(),
        stream: LogStream::Log,
        logger: String::new(),
        message: format!("line {sequence}"),
        fields: None,
    }
}

async fn next(watch: &mut ChannelSubscription) -> (String, Value) {
    match tokio::time::timeout(LIMIT, watch.next()).await.expect("nothing was heard") {
        BusEvent::Message { channel, data } => (channel.to_string(), serde_json::from_slice(&data).unwrap()),
        BusEvent::Gap => panic!("a gap"),
    }
}

async fn pending_records_come_in_order(bus: Bus) {
    let (known, unknown) = (Uuid::now_v7(), Uuid::now_v7());
    bus.put_pending(known, Bytes::from_static(b"{}")).await.unwrap();
    let found = bus.pending(&[unknown, known, unknown]).await.unwrap();
    assert_eq!(found, [None, Some(Bytes::from_static(b"{}")), None]);
    assert_eq!(bus.pending(&[]).await.unwrap(), []);
}

async fn cached_values_are_kept_by_key(bus: Bus) {
    let global = CacheKey::Config { organization_id: None };
    let own = CacheKey::Config { organization_id: Some(Uuid::now_v7()) };
    let workflow = CacheKey::Workflow { id: Uuid::now_v7() };
    bus.put_cached(&global, Bytes::from_static(b"1"));
    bus.put_cached(&workflow, Bytes::from_static(b"2"));
    bus.put_cached(&global, Bytes::from_static(b"3"));
    bus.flush().await.unwrap();
    let found = bus.cached(&[own, global, workflow]).await.unwrap();
    assert_eq!(found, [None, Some(Bytes::from_static(b"3")), Some(Bytes::from_static(b"2"))]);
}

async fn statuses_reach_the_execution_and_the_history(bus: Bus) {
    let (mine, other) = (attempt(), attempt());
    let mut one = bus.watch(&[Channel::Execution(mine.execution_id)]).await;
    let mut all = bus.watch(&[Channel::Executions]).await;
    bus.status_changed(&status(other, Status::Running));
    bus.status_changed(&status(mine, Status::Running));
    let expected = json!({"type": "status", "execution_id": mine.execution_id, "status": "RUNNING",
        "attempt": 1, "at": "2026-01-02T03:04:05Z"});
    assert_eq!(next(&mut one).await, (format!("execution:{}", mine.execution_id), expected.clone()));
    assert_eq!(next(&mut all).await.1["execution_id"], json!(other.execution_id));
    assert_eq!(next(&mut all).await, ("executions".to_owned(), expected));
}

async fn log_lines_are_live_and_kept_until_the_end(bus: Bus) {
    let mine = attempt();
    let mut watch = bus.watch(&[Channel::Execution(mine.execution_id)]).await;
    bus.log_lines(mine, &[line(1), line(2)], TIMEOUT);
    bus.log_lines(mine, &[line(3)], TIMEOUT);
    let expected = json!({"type": "log", "execution_id": mine.execution_id, "attempt": 1, "sequence": 1,
        "at": "1970-01-01T00:00:01.5Z", "level": "info", "stream": "log", "message": "line 1"});
    assert_eq!(next(&mut watch).await.1, expected);
    assert_eq!(next(&mut watch).await.1["message"], "line 2");
    assert_eq!(next(&mut watch).await.1["message"], "line 3");
    let kept = bus.live_log(mine.execution_id).await.unwrap();
    assert_eq!(kept.len(), 3);
    assert_eq!(serde_json::from_slice::<Value>(&kept[0]).unwrap(), expected);
    bus.announce_outcomes(&[OutcomeAnnouncement { status: status(mine, Status::Success), reply: None }])
        .await
        .unwrap();
    assert!(bus.live_log(mine.execution_id).await.unwrap().is_empty());
}

async fn what_was_posted_comes_before_the_end(bus: Bus) {
    let mine = attempt();
    let mut watch = bus.watch(&[Channel::Execution(mine.execution_id)]).await;
    bus.status_changed(&status(mine, Status::Running));
    for sequence in 1..=500 {
        bus.log_lines(mine, &[line(sequence)], TIMEOUT);
    }
    bus.announce_outcomes(&[OutcomeAnnouncement { status: status(mine, Status::Failed), reply: None }])
        .await
        .unwrap();
    assert_eq!(next(&mut watch).await.1["status"], "RUNNING");
    for sequence in 1..=500 {
        assert_eq!(next(&mut watch).await.1["sequence"], sequence);
    }
    assert_eq!(next(&mut watch).await.1["status"], "FAILED");
}

async fn commands_are_read_and_nonsense_passed_over(bus: Bus) {
    let mut commands = bus.commands().await;
    let id = Uuid::now_v7();
    bus.publish(&Channel::Command, Bytes::from_static(b"nonsense"));
    bus.publish(&Channel::Cancel, Bytes::from(format!("{{\"execution_id\":\"{id}\"}}")));
    bus.publish(&Channel::Command, Bytes::from_static(b"{\"action\":\"recycle_all\"}"));
    let resize = AddressedCommand {
        supervisor: Some(Uuid::now_v7()),
        command: ControlCommand::Resize { min_workers: 1, max_workers: 4 },
    };
    bus.send_command(&resize).await.unwrap();
    bus.send_command(&ControlCommand::Cancel { execution_id: id, reason: None }.into()).await.unwrap();
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(tokio::time::timeout(LIMIT, commands.next()).await.expect("a command"));
    }
    let cancel = AddressedCommand::from(ControlCommand::Cancel { execution_id: id, reason: None });
    assert_eq!(heard, [cancel.clone(), ControlCommand::RecycleAll.into(), resize, cancel]);
}

async fn a_watch_grows_and_shrinks(bus: Bus) {
    let mine = attempt();
    let mut watch = bus.watch(&[Channel::Pool]).await;
    watch.add(&[Channel::Executions, Channel::Pool]).await;
    watch.remove(&[Channel::Pool]);
    bus.heartbeat(Uuid::now_v7(), Bytes::from_static(b"{}"));
    bus.status_changed(&status(mine, Status::Running));
    assert_eq!(next(&mut watch).await.0, "executions");
}

async fn a_slow_listener_hears_of_a_gap_and_holds_up_nobody(bus: Bus) {
    let mut slow = bus.watch(&[Channel::Pool]).await;
    let mut last = bus.watch(&[Channel::Executions]).await;
    for _ in 0..5000 {
        bus.publish(&Channel::Pool, Bytes::from_static(b"{}"));
    }
    bus.status_changed(&status(attempt(), Status::Running));
    next(&mut last).await;
    let mut messages = 0;
    while tokio::time::timeout(LIMIT, slow.next()).await.expect("a gap is told") != BusEvent::Gap {
        messages += 1;
    }
    assert!(messages < 5000, "{messages} messages were kept");
}

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod in_process {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Bus::in_process("test")).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                let server = super::TestRedis::start();
                let bus = super::Bus::redis(&server.url(), "test").unwrap();
                super::$name(bus).await;
                super::every_key_has_an_expiry(&server);
            })+
        }
    };
}

contract!(
    pending_records_come_in_order,
    cached_values_are_kept_by_key,
    statuses_reach_the_execution_and_the_history,
    log_lines_are_live_and_kept_until_the_end,
    what_was_posted_comes_before_the_end,
    commands_are_read_and_nonsense_passed_over,
    a_watch_grows_and_shrinks,
    a_slow_listener_hears_of_a_gap_and_holds_up_nobody,
);

fn keys(server: &TestRedis) -> Vec<(String, i64)> {
    let mut connection = server.connection();
    let mut keys: Vec<String> = ::redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    keys.sort();
    let life = |key: String| {
        let milliseconds: i64 = ::redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
        (key, milliseconds)
    };
    keys.into_iter().map(life).collect()
}

fn every_key_has_an_expiry(server: &TestRedis) {
    for (key, milliseconds) in keys(server) {
        assert!(milliseconds > 0, "{key} never expires");
    }
}

/// Names and lifetimes are an interface: other programs read these keys.
#[tokio::test]
async fn keys_are_named_and_live_as_documented() {
    let server = TestRedis::start();
    let bus = Bus::redis(&server.url(), "muster").unwrap();
    let mine = Attempt::new(Uuid::nil(), 3);
    let id = mine.execution_id;
    bus.put_pending(id, Bytes::from_static(b"{}")).await.unwrap();
    bus.put_context(id, Bytes::from_static(b"{}"), TIMEOUT);
    bus.log_lines(mine, &[line(1)], TIMEOUT);
    bus.change_noted(mine, Bytes::from_static(b"{}"), TIMEOUT);
    bus.put_cached(&CacheKey::Config { organization_id: None }, Bytes::from_static(b"{}"));
    bus.put_cached(&CacheKey::Config { organization_id: Some(id) }, Bytes::from_static(b"{}"));
    bus.put_cached(&CacheKey::Workflow { id }, Bytes::from_static(b"{}"));
    bus.heartbeat(id, Bytes::from_static(b"{}"));
    bus.flush().await.unwrap();
    let seconds = |(key, milliseconds): (String, i64)| (key, (milliseconds + 999) / 1000);
    let found: Vec<_> = keys(&server).into_iter().map(seconds).collect();
    let expected = [
        (format!("muster:changes:{id}:3"), 3660),
        (format!("muster:context:{id}"), 3660),
        (format!("muster:logs:{id}"), 3660),
        (format!("muster:pending:{id}"), 604_800),
        (format!("muster:pool:{id}"), 30),
        ("muster:probe".to_owned(), 5),
        (format!("muster:sdk:{id}:config"), 300),
        ("muster:sdk:global:config".to_owned(), 300),
        (format!("muster:workflow:{id}"), 300),
    ];
    assert_eq!(found, expected);
    let reply = Some(Bytes::from_static(b"{}"));
    bus.announce_outcomes(&[OutcomeAnnouncement { status: status(mine, Status::Success), reply }])
        .await
        .unwrap();
    let left: Vec<_> = keys(&server).into_iter().map(seconds).collect();
    assert!(left.contains(&(format!("muster:result:{id}"), 60)), "{left:?}");
    assert_eq!(left.len(), 6, "the keys of the run are gone: {left:?}");
}

#[tokio::test]
async fn a_reply_that_is_sent_twice_after_a_crash_is_still_one() {
    let server = TestRedis::start();
    let bus = Bus::redis(&server.url(), "muster").unwrap();
    let mine = attempt();
    let reply = Some(Bytes::from_static(b"{\"result\":7}"));
    let settlement = OutcomeAnnouncement { status: status(mine, Status::Success), reply };
    bus.announce_outcomes(&[settlement.clone(), settlement]).await.unwrap();
    let mut list = ::redis::cmd("LRANGE");
    list.arg(format!("muster:result:{}", mine.execution_id)).arg(0).arg(-1);
    let replies: Vec<String> = list.query(&mut server.connection()).unwrap();
    assert_eq!(replies, ["{\"result\":7}"]);
}

#[tokio::test]
async fn without_a_server_nothing_waits_and_all_comes_back() {
    let mut server = TestRedis::start();
    let bus = Bus::redis(&server.url(), "test").unwrap();
    let mut watch = bus.watch(&[Channel::Executions]).await;
    server.stop();
    let deadline = std::time::Instant::now() + LIMIT;
    while bus.health().problem.is_none() || bus.health().dropped == 0 {
        assert!(std::time::Instant::now() < deadline, "{:?}", bus.health());
        bus.status_changed(&status(attempt(), Status::Running));
        tokio::task::yield_now().await;
    }
    let settlement = OutcomeAnnouncement { status: status(attempt(), Status::Success), reply: None };
    while !matches!(
        bus.announce_outcomes(std::slice::from_ref(&settlement)).await,
        Err(BusError::Unreachable(_))
    ) {
        assert!(std::time::Instant::now() < deadline, "a settlement was taken without a server");
    }
    server.start_again();
    while bus.announce_outcomes(std::slice::from_ref(&settlement)).await.is_err() {
        assert!(std::time::Instant::now() < deadline, "it does not come back: {:?}", bus.health());
        tokio::task::yield_now().await;
    }
    // The listener is told that it missed something, and hears again.
    while tokio::time::timeout(LIMIT, watch.next()).await.expect("a gap is told") != BusEvent::Gap {}
    bus.status_changed(&status(attempt(), Status::Running));
    while next(&mut watch).await.1["status"] != "RUNNING" {}
    assert_eq!(bus.health().problem, None);
}

#[tokio::test]
async fn a_wrong_url_is_refused_at_once() {
    let error = Bus::redis("http://localhost", "test").unwrap_err();
    assert!(error.to_string().starts_with("redis_url cannot be used"), "{error}");
}
