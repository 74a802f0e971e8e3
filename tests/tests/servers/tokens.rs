//! Tokens on several supervisors: what is changed on one counts within a second on all.

use std::time::{Duration, Instant};

use muster_tests::{ClientToken, Installation, TestSupervisor, eventually};

use crate::world::{SOON, World};

/// What is to be true within this of a change.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

fn token(place: &Installation, arguments: &[&str]) -> String {
    let output = place.run(&[&["token"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn status(supervisor: &TestSupervisor, secret: &str, path: &str) -> u16 {
    supervisor.client().showing(ClientToken::Given(secret.to_owned())).get(path).status
}

#[track_caller]
fn is_heard(supervisor: &TestSupervisor, secret: &str, expected: u16) {
    let since = Instant::now();
    eventually("it is heard of", SOON, || status(supervisor, secret, "/api/access") == expected);
    let took = since.elapsed();
    assert!(took < HEARD_WITHIN, "{took:?}");
}

#[test]
fn what_becomes_of_a_token_counts_on_every_supervisor_within_a_second() {
    let world = World::shared();
    let with_token = || world.installation().setting("http_token", "one-token-for-the-fleet");
    let (place, other_place) = (with_token(), with_token());
    let (here, there) = (place.start(), other_place.start());

    let first = token(&place, &["create", "watcher", "--role", "view"]);
    assert!(first.starts_with("muster_"), "{first}");
    assert_eq!(status(&here, &first, "/api/access"), 200, "where it was made at once");
    is_heard(&there, &first, 200);
    assert_eq!((status(&there, &first, "/api/pool"), status(&there, &first, "/api/tokens")), (200, 403));

    let second = token(&place, &["rotate", "watcher"]);
    assert_eq!((status(&here, &first, "/api/access"), status(&here, &second, "/api/access")), (401, 200));
    is_heard(&there, &first, 401);
    assert_eq!(status(&there, &second, "/api/access"), 200);

    token(&other_place, &["remove", "watcher"]);
    assert_eq!(status(&there, &second, "/api/access"), 401);
    is_heard(&here, &second, 401);

    // And one that was made counts after a restart.
    let third = token(&place, &["create", "after", "--role", "admin", "--expires", "1h"]);
    assert!(there.terminate(SOON).success());
    let there = other_place.start();
    eventually("tokens are read", SOON, || status(&there, &third, "/api/tokens") == 200);
    assert_eq!(status(&here, &third, "/api/tokens"), 200);
    let rows = world.record.select("SELECT hash FROM tokens WHERE name = 'after'");
    let hashes: Vec<&str> = rows.iter().filter_map(|row| row["hash"].as_str()).collect();
    assert!(hashes.len() == 1 && hashes[0].len() == 64 && !hashes[0].contains(&third), "{hashes:?}");
    for log in [here.log(), there.log()] {
        for secret in [&first, &second, &third] {
            assert!(!log.contains(secret.as_str()), "a token is in the log");
        }
    }
}
