//! Keys and channels of Redis, overheard at the server while executions run.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use muster_tests::{Backends, Cache, Installation, Record, Services, TestQueue};
use serde_json::json;
use uuid::Uuid;

use crate::{Names, compare};

const SOON: Duration = Duration::from_secs(60);
const WORKFLOW: &str = "export default async (params, ctx) => {
  ctx.log.info('hello');
  await ctx.config.get('region');
  await ctx.state.set('key', 1);
};\n";
/// Written last: what came before it has been overheard.
const END: &str = "end";

#[test]
fn the_keys_and_channels_of_redis() {
    let backends = Services::shared().fresh();
    let overheard = monitor(&backends);
    let installation = Installation::new().backends(&backends).workflow("names.js", WORKFLOW);
    let supervisor = installation.start();
    let (workflow, organization) = (Uuid::now_v7(), Uuid::now_v7());
    Record::of(&backends).execute(&format!(
        "INSERT INTO organizations (id, name, is_active) VALUES ('{organization}', 'acme', true);
         INSERT INTO workflows (id, name, path) VALUES ('{workflow}', 'names', 'names.js')"
    ));
    let cache = Cache::of(&backends);
    let mut queue = TestQueue::of(&backends);
    let requests = [
        json!({ "workflow": "names", "sync": true }),
        json!({ "workflow_id": workflow, "organization_id": organization, "sync": true }),
    ];
    for request in requests {
        let id = Uuid::now_v7();
        cache.set(&format!("pending:{id}"), &request.to_string());
        queue.publish(&json!({ "execution_id": id }));
        assert_eq!(cache.take(&format!("result:{id}"), SOON)["status"], "SUCCESS", "{request}");
        cache.forgets(&id.to_string(), SOON);
    }
    assert!(supervisor.terminate(SOON).success());
    cache.set(END, "");
    compare("redis.txt", &names(overheard, &backends));
}

/// What the server is asked from now on.
fn monitor(backends: &Backends) -> BufReader<TcpStream> {
    let address = backends.redis_url.trim_start_matches("redis://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"MONITOR\r\n").unwrap();
    let mut overheard = BufReader::new(stream);
    let mut answer = String::new();
    overheard.read_line(&mut answer).unwrap();
    assert_eq!(answer, "+OK\r\n");
    overheard
}

/// The names below the prefix of this test, with `{id}` for what is another each time.
fn names(overheard: impl BufRead, backends: &Backends) -> Names {
    let mut names = Names::new();
    let prefix = format!("{}:", backends.key_prefix);
    for line in overheard.lines() {
        let line = line.unwrap();
        // Arguments stand in quotation marks, and a mark inside one follows a backslash.
        let arguments = line.split('"').filter_map(|argument| argument.strip_prefix(&prefix));
        for name in arguments.map(|name| name.trim_end_matches('\\')) {
            if name == END {
                return names;
            }
            // Who asks for every key there is names none: that is this test.
            if !name.contains('*') {
                names.insert(general(name));
            }
        }
    }
    panic!("the server ended first: {names:?}")
}

/// `changes:0198aa00-…:1` is `changes:{id}:{attempt}`.
fn general(name: &str) -> String {
    let part = |part: &str| {
        if part.parse::<Uuid>().is_ok() {
            "{id}".to_owned()
        } else if part.parse::<u32>().is_ok() {
            "{attempt}".to_owned()
        } else {
            part.to_owned()
        }
    };
    name.split(':').map(part).collect::<Vec<_>>().join(":")
}
