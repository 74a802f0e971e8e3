//! Executions that ended long ago go, when somebody says so and by themselves.

use std::time::Duration;

use muster_tests::eventually;
use serde_json::Value;

use crate::{installed, json, run};

const SOON: Duration = Duration::from_secs(30);

fn submitted(installation: &muster_tests::Installation) {
    for _ in 0..3 {
        assert_eq!(run(installation, &["submit", "echo", "--wait"]).code, 0);
    }
    assert_ne!(run(installation, &["submit", "throw", "--wait"]).code, 0);
}

fn kept(installation: &muster_tests::Installation) -> usize {
    json(installation, &["list", "--json"])["executions"].as_array().unwrap().len()
}

#[test]
fn what_is_told_to_go_goes_and_nothing_else() {
    let installation = installed();
    let _supervisor = installation.start();
    submitted(&installation);
    let counted = |found: &Value| ["executions", "logs", "events"].map(|field| found[field].clone());
    let young = json(&installation, &["prune", "--older-than", "1h", "--json"]);
    assert_eq!(young["executions"], 0);
    let asked = ["prune", "--older-than", "0s", "--status", "success", "--json"];
    let told = json(&installation, &[&asked[..], &["--dry-run"]].concat());
    assert_eq!((&told["executions"], kept(&installation)), (&3.into(), 4));
    let gone = json(&installation, &asked);
    assert_eq!(counted(&gone), counted(&told));
    assert_eq!(kept(&installation), 1);
    let said = run(&installation, &["prune", "--older-than", "0s"]);
    assert!(said.out.starts_with("removed 1 executions"), "{} {}", said.out, said.err);
    let wrong = run(&installation, &["prune", "--older-than", "0s", "--status", "RUNNING"]);
    assert!(wrong.code != 0 && wrong.err.contains("is no end"), "{}", wrong.err);
}

#[test]
fn what_is_old_enough_goes_by_itself() {
    let installation = installed();
    let supervisor = installation.start();
    submitted(&installation);
    assert!(supervisor.terminate(SOON).success());
    // Less than a second: what failed is kept longer.
    let installation =
        installation.setting("retention_days", "0.00001").setting("retention_failed_days", "1");
    let _supervisor = installation.start();
    eventually("the others are gone", SOON, || kept(&installation) == 1);
    assert!(run(&installation, &["list", "--json"]).out.contains("FAILED"));
}

#[test]
fn a_workflow_says_for_how_long_its_executions_are_kept() {
    let installation = installed().setting("retention_days", "0.00001");
    let set = |workflow: &str, days: [&str; 2]| {
        let flags = ["--retention-days", days[0], "--retention-failed-days", days[1]];
        assert_eq!(run(&installation, &[&["workflow", "set", workflow][..], &flags].concat()).code, 0);
    };
    let _supervisor = installation.start();
    set("throw", ["1", "0"]);
    submitted(&installation);
    eventually("what nothing is said of is gone", SOON, || kept(&installation) == 1);
    set("throw", ["0", "0.00001"]);
    eventually("what was kept for ever is gone, too", SOON, || kept(&installation) == 0);
    // What somebody asks for goes, whatever is said.
    set("echo", ["0", ""]);
    assert_eq!(run(&installation, &["submit", "echo", "--wait"]).code, 0);
    let gone = json(&installation, &["prune", "--older-than", "0s", "--json"]);
    assert_eq!((&gone["executions"], &gone["is_done"], kept(&installation)), (&1.into(), &true.into(), 0));
}
