//! A Redis that is there and takes no writes: each state is named, and left by itself.

use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use super::test_redis::TestRedis;
use super::{Bus, BusError};

const LIMIT: Duration = Duration::from_secs(20);

fn say(server: &TestRedis, words: &[&str]) {
    say_over(&mut server.connection(), words);
}

fn say_over(connection: &mut ::redis::Connection, words: &[&str]) {
    let mut command = ::redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query::<()>(connection).unwrap();
}

/// Waits until the health's problem is as wished.
async fn problem_is(bus: &Bus, wished: impl Fn(Option<&str>) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !wished(bus.health().problem.as_deref()) {
        assert!(Instant::now() < deadline, "{:?}", bus.health());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn is_named_and_left(
    server: &TestRedis,
    named: &str,
    enter: impl FnOnce(&TestRedis),
    leave: impl FnOnce(&TestRedis),
) {
    let bus = Bus::redis(&server.url(), "test").unwrap();
    problem_is(&bus, |problem| problem.is_none()).await;
    let id = Uuid::now_v7();
    bus.put_pending(id, Bytes::from_static(b"{}")).await.unwrap();
    enter(server);
    // Nothing is written meanwhile: it is seen all the same.
    problem_is(&bus, |problem| problem.is_some_and(|problem| problem.contains(named))).await;
    let refused = bus.put_pending(Uuid::now_v7(), Bytes::from_static(b"{}")).await;
    assert!(matches!(refused, Err(BusError::Refused(_))), "{refused:?}");
    assert_eq!(bus.pending(&[id]).await.unwrap(), [Some(Bytes::from_static(b"{}"))], "it is still read");
    let dropped = bus.health().dropped;
    bus.heartbeat(id, Bytes::from_static(b"{}"));
    problem_is(&bus, |_| bus.health().dropped > dropped).await;
    leave(server);
    problem_is(&bus, |problem| problem.is_none()).await;
    bus.put_pending(Uuid::now_v7(), Bytes::from_static(b"{}")).await.unwrap();
}

#[tokio::test]
async fn a_replica() {
    let server = TestRedis::start();
    // A replica whose primary is away still answers reads.
    let enter = |server: &TestRedis| say(server, &["REPLICAOF", "127.0.0.1", "1"]);
    let leave = |server: &TestRedis| say(server, &["REPLICAOF", "NO", "ONE"]);
    is_named_and_left(&server, "read-only, a replica", enter, leave).await;
}

#[tokio::test]
async fn a_full_server() {
    let server = TestRedis::start();
    let enter = |server: &TestRedis| say(server, &["CONFIG", "SET", "maxmemory", "1"]);
    let leave = |server: &TestRedis| say(server, &["CONFIG", "SET", "maxmemory", "0"]);
    is_named_and_left(&server, "its memory is used up", enter, leave).await;
}

#[tokio::test]
async fn a_server_without_its_replicas() {
    let server = TestRedis::start();
    let enter = |server: &TestRedis| say(server, &["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let leave = |server: &TestRedis| say(server, &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    is_named_and_left(&server, "too few replicas", enter, leave).await;
}

#[tokio::test]
async fn a_server_that_cannot_save() {
    let server = TestRedis::start();
    let enter = |server: &TestRedis| {
        say(server, &["CONFIG", "SET", "save", "3600 1"]);
        server.lose_folder();
        say(server, &["BGSAVE"]);
    };
    let leave = |server: &TestRedis| say(server, &["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    is_named_and_left(&server, "cannot save to its disk", enter, leave).await;
}

#[tokio::test]
async fn a_server_that_wants_a_password_from_now_on() {
    let server = TestRedis::start();
    let mut operator = server.connection();
    let mut say = |words: &[&str]| say_over(&mut operator, words);
    let bus = Bus::redis(&server.url(), "test").unwrap();
    problem_is(&bus, |problem| problem.is_none()).await;
    say(&["CONFIG", "SET", "requirepass", "secret"]);
    // Who is connected stays who it is; whoever comes anew is asked.
    say(&["CLIENT", "KILL", "TYPE", "normal"]);
    problem_is(&bus, |problem| problem.is_some_and(|problem| problem.contains("it wants a password"))).await;
    let refused = bus.put_pending(Uuid::now_v7(), Bytes::from_static(b"{}")).await;
    assert!(matches!(refused, Err(BusError::Refused(_))), "{refused:?}");
    say(&["CONFIG", "SET", "requirepass", ""]);
    problem_is(&bus, |problem| problem.is_none()).await;
    bus.put_pending(Uuid::now_v7(), Bytes::from_static(b"{}")).await.unwrap();
}
