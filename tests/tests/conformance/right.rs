//! The workers of this repository: nothing of what they offer fails, and they offer what they should.

use muster_tests::binaries::{self, repository};

use crate::kit::Kit;

#[track_caller]
fn assert_reaches(kit: &Kit, level: u64, not_checked: &[&str]) {
    assert!(kit.with("failed").is_empty(), "{:#?}\n{}", kit.with("failed"), kit.stderr);
    assert_eq!(kit.with("not_checked").into_keys().collect::<Vec<_>>(), not_checked);
    assert_eq!(kit.report["level"], level);
    assert_eq!(kit.exit_code, Some(0));
}

#[test]
fn the_default_worker() {
    let kit = Kit::run(&[binaries::worker().to_str().unwrap()], None, &[]);
    let open =
        ["init-failed", "put-back", "template-exited", "template-fork", "template-leaving", "unknown-fields"];
    assert_reaches(&kit, 6, &open);
}

#[test]
fn the_python_sdk() {
    let path = repository("worker/python");
    let variable = Some(("PYTHONPATH", path.to_str().unwrap()));
    let kit = Kit::run(&["python3", "-m", "muster_worker"], variable, &[]);
    assert_reaches(&kit, 7, &["init-failed", "unknown-fields"]);
}

#[test]
fn the_node_sdk() {
    let kit = Kit::run(&[repository("worker/node/bin/muster-worker").to_str().unwrap()], None, &[]);
    assert_reaches(&kit, 6, &["template-exited", "template-fork", "template-leaving", "unknown-fields"]);
    assert_eq!(kit.with("not_checked")["template-fork"]["reason"], "does not offer the feature template");
}

#[test]
fn the_worker_in_bash_and_jq() {
    let kit = Kit::run(&[repository("tests/workers/lines.sh").to_str().unwrap()], None, &[]);
    assert!(kit.with("failed").is_empty(), "{:#?}", kit.with("failed"));
    assert_eq!((&kit.report["level"], kit.exit_code), (&1.into(), Some(0)));
    for offered in ["echo", "failure", "unknown-fields", "log", "long-log", "agreed-features", "drain-idle"] {
        assert!(kit.with("passed").contains_key(offered), "{offered}");
    }
    assert_eq!(kit.with("not_checked")["dump"]["reason"], "does not offer the feature dump");
}
