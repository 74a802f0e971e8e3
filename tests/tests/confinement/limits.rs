//! Who workers run as, and the settings that cannot be kept.

use std::os::unix::fs::MetadataExt;

use muster_tests::Installation;
use serde_json::json;

use crate::world::{SOON, StartedBy, as_ordinary_user, hand_over, python, start};

const WHO: &str = "
import os
from muster_worker import workflow

@workflow
def who():
    return {
        'uid': os.getuid(), 'gid': os.getgid(), 'groups': os.getgroups(), 'home': os.environ.get('HOME'),
        'umask': os.umask(0o77), 'pid': os.getpid(),
    }
";

fn installation() -> Installation {
    python(Installation::new()).workflow("who.py", WHO).setting("template", "off")
}

#[test]
fn workers_run_as_the_user_that_is_named_and_at_home_where_it_is() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can start a worker as another user");
        return;
    }
    let installation = installation().setting("worker_user", "nobody").setting("confinement", "strict");
    let supervisor = start(&installation, StartedBy::RootForUsers);
    let id = supervisor.client().submit(&json!({ "workflow": "who" }));
    let row = supervisor.client().finished(&id, SOON);
    let who = &row["result"];
    assert_eq!((&who["uid"], &who["home"]), (&json!(65534), &json!("/nonexistent")), "{row}");
    assert_eq!(who["umask"], 0o77, "{row}");
}

#[test]
fn each_worker_of_a_range_has_a_user_and_a_home_of_its_own() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can start a worker as another user");
        return;
    }
    let installation = installation().setting("worker_user", "900300-900309").setting("max_workers", 2);
    let supervisor = start(&installation, StartedBy::RootForUsers);
    muster_tests::eventually("each has its own", SOON, || {
        let workers = supervisor.workers();
        let users = workers.iter().filter_map(|pid| std::fs::metadata(format!("/proc/{pid}")).ok());
        let users: std::collections::BTreeSet<u32> = users.map(|seen| seen.uid()).collect();
        users.len() == 2 && users.iter().all(|uid| (900_300..900_310).contains(uid))
    });
    let id = supervisor.client().submit(&json!({ "workflow": "who" }));
    let row = supervisor.client().finished(&id, SOON);
    let who = &row["result"];
    assert_eq!((&who["uid"], &who["groups"]), (&who["gid"], &json!([])), "{row}");
    assert!(who["home"].as_str().unwrap().contains("muster-workers-"), "{row}");
}

#[test]
fn who_cannot_change_users_is_told_at_the_start() {
    let installation = installation().setting("worker_user", "nobody");
    let words = as_ordinary_user();
    if !words.is_empty() {
        hand_over(installation.folder());
    }
    let mut supervisor = installation.spawn_under(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!supervisor.wait_exit(SOON).success());
    let log = supervisor.log();
    assert!(log.contains("worker_user needs a supervisor that is started as root"), "{log}");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let refused = |key: &str, value: &str, reason: &str| {
        let installation = Installation::new();
        let value = value.replace("FOLDER", &installation.folder().display().to_string());
        let output = installation.setting(key, value).run(&["config"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{key}: {said}");
    };
    refused("worker_paths_rw", "FOLDER", "no worker may write there");
    refused("worker_user", "10-5", "ends before it begins");
    refused("worker_user", "0-5", "which is root");
    refused("worker_ports", "http", "TCP ports from 1 to 65535");
    refused("worker_limits", "oxen=2", "there are processes, files, file_size_mb, address_space_mb");
    refused("worker_limits", "files=none", "a whole number above 0");
    refused(
        "worker_group_limits",
        "oxen=2",
        "there are memory_max_mb, memory_high_mb, processes, cpu_weight",
    );
    refused("confinement", "tight", "must be off, scoped or strict");
}
