//! Servers that are gone or stand still: readiness and metrics answer at once, from what is known.

use std::time::{Duration, Instant};

use muster_tests::{Response, ServerKind, Services, TestSupervisor, eventually};

use crate::world::{SOON, World};

/// The bar, and as much again for a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_millis(400);
/// An answer that was late once must be in time when it is asked for again.
const TRIES: usize = 5;

/// Asks for readiness and metrics, which must be answered at once.
#[track_caller]
fn answers_at_once(supervisor: &TestSupervisor) -> Response {
    for path in ["/metrics", "/readyz"] {
        let took: Vec<_> = (0..TRIES)
            .map(|_| {
                let asked = Instant::now();
                supervisor.client().get(path);
                asked.elapsed()
            })
            .collect();
        assert!(took.iter().min().is_some_and(|took| *took <= AT_ONCE), "{path} took {took:?}");
    }
    supervisor.client().get("/readyz")
}

fn part(response: &Response, name: &str) -> serde_json::Value {
    let parts = response.body["parts"].as_array().cloned().unwrap_or_default();
    parts.into_iter().find(|part| part["part"] == name).unwrap_or_default()
}

#[test]
fn readiness_and_metrics_answer_at_once_whatever_the_servers_do() {
    let world = World::on(Services::private());
    let installation = world.installation();
    let supervisor = installation.start();
    for service in [ServerKind::Redis, ServerKind::RabbitMq, ServerKind::Postgres] {
        world.services.pause(service);
        if service == ServerKind::Postgres {
            eventually("readiness says that the database is silent", SOON, || {
                let response = answers_at_once(&supervisor);
                let store = part(&response, "store");
                response.status == 503
                    && store["detail"].as_str().is_some_and(|it| it.contains("not answered"))
            });
        }
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            answers_at_once(&supervisor);
        }
        world.services.resume(service);
        supervisor.wait_ready(SOON);
    }
    for service in [ServerKind::Redis, ServerKind::RabbitMq, ServerKind::Postgres] {
        world.services.kill(service);
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            answers_at_once(&supervisor);
        }
        world.services.start_again(service);
        supervisor.wait_ready(SOON);
    }
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}
