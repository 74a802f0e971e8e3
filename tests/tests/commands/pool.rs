//! status, resize, recycle, reload.

use std::time::Duration;

use muster_tests::{Installation, eventually};

use super::{installed, json, run};

const SOON: Duration = Duration::from_secs(30);

fn worker_names(installation: &Installation) -> Vec<String> {
    let status = json(installation, &["status", "--json"]);
    let workers = status["pool"]["workers"].as_array().unwrap();
    workers
        .iter()
        .filter(|worker| worker["state"] == "idle")
        .map(|worker| worker["worker"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_pool_does_what_the_commands_say() {
    let installation = installed();
    let _supervisor = installation.start();
    let status = run(&installation, &["status"]);
    assert!(
        status.code == 0 && status.out.contains("is ready") && status.out.contains("2 of 2 to 4 workers"),
        "{}",
        status.out
    );

    assert_eq!(run(&installation, &["resize", "3", "5"]).out, "the pool is 3 to 5 workers now\n");
    let before = eventually("a third worker is idle", SOON, || {
        Some(worker_names(&installation)).filter(|names| names.len() == 3)
    });
    let refused = run(&installation, &["resize", "6", "5"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("1 <= min <= max"), "{}", refused.err);

    let said = run(&installation, &["recycle", &before[0]]);
    assert_eq!((said.code, said.out), (0, format!("{} is being replaced\n", before[0])));
    eventually("one is replaced", SOON, || {
        let names = worker_names(&installation);
        names.len() == 3 && !names.contains(&before[0]) && names.contains(&before[1])
    });
    assert_eq!(run(&installation, &["recycle", "worker-999"]).code, 1);

    assert_eq!(run(&installation, &["reload"]).code, 0);
    eventually("all are of the next generation, and as many as the settings say", SOON, || {
        let status = json(&installation, &["status", "--json"]);
        let workers = status["pool"]["workers"].as_array().unwrap();
        workers.len() == 2
            && workers.iter().all(|worker| worker["generation"] == status["pool"]["generation"])
            && workers.iter().all(|worker| !before.contains(&worker["worker"].as_str().unwrap().to_owned()))
    });
}

#[test]
fn a_supervisor_that_cannot_work_says_so_and_why() {
    let installation = Installation::new().worker(["/no/such/worker"]);
    let supervisor = installation.spawn();
    eventually("it says what is wrong", SOON, || {
        let said = run(&installation, &["status"]);
        said.code == 1 && said.out.contains("is NOT ready") && said.out.contains("/no/such/worker")
    });
    drop(supervisor);
}

#[test]
fn sighup_rolls_the_workers_and_names_what_must_wait_for_a_restart() {
    let installation = installed();
    let file = installation.path("muster.toml");
    std::fs::write(&file, "lease_seconds = 20\n").unwrap();
    let supervisor = installation.start();
    let before = eventually("two workers are idle", SOON, || {
        Some(worker_names(&installation)).filter(|names| names.len() == 2)
    });
    std::fs::write(&file, "lease_seconds = 25\n").unwrap();
    supervisor.signal(rustix::process::Signal::HUP);
    eventually("both are replaced", SOON, || {
        let names = worker_names(&installation);
        names.len() == 2 && names.iter().all(|name| !before.contains(name))
    });
    assert!(supervisor.log().contains("lease_seconds"), "{}", supervisor.log());
}

#[test]
fn after_a_reload_that_failed_the_old_generation_is_told_what_it_was_told_before() {
    let installation = Installation::new()
        .workflow("echo.js", "export default async (params) => params;\n")
        .without("workflows_dir")
        .without("worker_command");
    std::fs::create_dir(installation.path("nothing")).unwrap();
    let settings = |workflows: &str, worker: &str| {
        let text = format!("workflows_dir = {workflows:?}\nworker_command = {worker:?}\n");
        std::fs::write(installation.path("muster.toml"), text).unwrap();
    };
    settings("workflows", muster_tests::binaries::worker().to_str().unwrap());
    let supervisor = installation.start();
    let before = worker_names(&installation);
    settings("nothing", "/bin/false");
    assert_eq!(run(&installation, &["reload"]).code, 0);
    eventually("the reload has failed", SOON, || {
        supervisor.log().contains("the new generation cannot start")
    });
    assert_eq!(run(&installation, &["recycle", "--all"]).code, 0);
    eventually("the workers are others, of the old generation", SOON, || {
        let names = worker_names(&installation);
        names.len() >= 2 && names.iter().all(|name| !before.contains(name))
    });
    let client = supervisor.client();
    let row =
        client.finished(&client.submit(&serde_json::json!({ "workflow": "echo", "parameters": 7 })), SOON);
    assert_eq!(
        (&row["status"], &row["result"]),
        (&serde_json::json!("SUCCESS"), &serde_json::json!(7)),
        "{row}"
    );
}
