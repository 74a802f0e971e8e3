//! What a worker and all it started may use together, where there are control groups with controllers. Few machines
//! that build this have them: `scripts/cgroup-v2` boots one that does.

use std::path::PathBuf;

use muster_tests::{Installation, TestSupervisor, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, python};

/// Starts a program in a control group of its own that is marked as delegated to it, as systemd does.
const DELEGATED: &str = "
import os, sys
root = sys.argv[1]
with open(root + '/cgroup.subtree_control', 'w') as taken:
    taken.write('+memory +pids +cpu')
group = f'{root}/muster-test-{os.getpid()}'
os.mkdir(group)
os.setxattr(group, 'user.delegate', b'1')
with open(group + '/cgroup.procs', 'w') as members:
    members.write(str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
";

const WORKFLOWS: &str = "
import os, signal, subprocess, sys, time
from muster_worker import workflow

GROW = '''
held = []
while True:
    held.append(b'x' * (1 << 20))
'''

@workflow
def grows(where):
    if where == 'child':
        subprocess.run([sys.executable, '-c', GROW], start_new_session=True, env={})
        time.sleep(60)
    exec(GROW)

@workflow
def forks():
    children = []
    try:
        while len(children) < 200:
            pid = os.fork()
            if pid == 0:
                signal.pause()
            children.append(pid)
    except OSError as error:
        return {'started': len(children), 'refused': error.errno}
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return {'started': len(children), 'refused': None}

@workflow
def neighbour():
    open('neighbour', 'w').close()
    while not os.path.exists('over'):
        time.sleep(0.005)
    return os.getpid()
";

/// Where control groups of version 2 are mounted, if they have the controllers and may be arranged.
fn groups() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (_, point, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(point))
    })?;
    let available = std::fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
    let has_all =
        ["memory", "pids", "cpu"].iter().all(|name| available.split_whitespace().any(|one| one == *name));
    (has_all && rustix::process::geteuid().is_root()).then_some(mount)
}

/// A supervisor with two workers in groups that are bound by these limits; `None` where there are no such groups.
fn bound(limits: &str) -> Option<(Installation, TestSupervisor)> {
    let Some(root) = groups() else {
        eprintln!("not tried: no control groups of version 2 with controllers; see scripts/cgroup-v2");
        return None;
    };
    let installation = python(Installation::new())
        .workflow("groups.py", WORKFLOWS)
        .setting("template", "off")
        .setting("min_workers", 2)
        .setting("max_workers", 2)
        .setting("worker_group_limits", limits);
    let root = root.display().to_string();
    let supervisor = installation.spawn_under(&["python3", "-c", DELEGATED, &root]);
    supervisor.wait_ready(SOON);
    Some((installation, supervisor))
}

fn wall(supervisor: &TestSupervisor) -> Value {
    let walls = supervisor.client().get("/api/pool").body["walls"].clone();
    walls.as_array().unwrap().iter().find(|wall| wall["wall"] == "group-limits").unwrap().clone()
}

#[test]
fn groups_memory_max_ends_a_run_and_harms_no_neighbour() {
    for place in ["itself", "child"] {
        let Some((installation, supervisor)) = bound("memory_max_mb=120") else { return };
        assert_eq!(wall(&supervisor)["stands"], true, "{}", wall(&supervisor));
        let client = supervisor.client();
        let neighbour = client.submit(&json!({ "workflow": "neighbour" }));
        eventually("the neighbour runs", SOON, || installation.path("neighbour").exists());
        let request = json!({ "workflow": "grows", "parameters": { "where": place }, "max_attempts": 1 });
        let row = client.finished(&client.submit(&request), SOON);
        assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("OutOfMemory")), "{row}");
        let cause = &row["end_cause"];
        assert_eq!((&cause["kind"], &cause["who"]), (&json!("out_of_memory"), &json!("cgroup")), "{row}");
        assert_eq!(cause["memory_limit_bytes"], 120 << 20, "{row}");
        eprintln!("memory_max_mb=120, {place}: {}", cause["summary"]);
        std::fs::write(installation.path("over"), "").unwrap();
        assert_eq!(client.finished(&neighbour, SOON)["status"], "SUCCESS");
        assert!(supervisor.terminate(SOON).success());
        installation.assert_nothing_left();
    }
}

#[test]
fn groups_bound_the_processes_of_a_worker_together() {
    let Some((installation, supervisor)) = bound("processes=30") else { return };
    let client = supervisor.client();
    let row = client.finished(&client.submit(&json!({ "workflow": "forks" })), SOON);
    let (started, refused) = (row["result"]["started"].as_u64(), row["result"]["refused"].as_i64());
    eprintln!("processes=30: {} forks, then errno {}", started.unwrap_or(0), refused.unwrap_or(0));
    assert!(started.is_some_and(|started| (1..30).contains(&started)), "{row}");
    assert_eq!(refused, Some(11), "{row}");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn groups_are_given_all_that_is_asked_for() {
    let asked = "memory_max_mb=200 memory_high_mb=150 processes=40 cpu_weight=50";
    let Some((installation, supervisor)) = bound(asked) else { return };
    let root = groups().unwrap();
    let worker = supervisor.workers()[0];
    let group = std::fs::read_to_string(format!("/proc/{worker}/cgroup")).unwrap();
    let group = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap().to_owned();
    let read = |name: &str| std::fs::read_to_string(root.join(&group).join(name)).unwrap().trim().to_owned();
    for (name, value) in [
        ("memory.max", (200_u64 << 20).to_string()),
        ("memory.high", (150_u64 << 20).to_string()),
        ("memory.oom.group", "1".to_owned()),
        ("pids.max", "40".to_owned()),
        ("cpu.weight", "50".to_owned()),
    ] {
        assert_eq!(read(name), value, "{name}");
        eprintln!("{asked}: {name} is {value}");
    }
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn groups_without_controllers_say_so_and_workers_run() {
    if groups().is_some() {
        return;
    }
    let installation = python(Installation::new())
        .workflow("groups.py", WORKFLOWS)
        .setting("worker_group_limits", "processes=30");
    let supervisor = installation.start();
    let wall = wall(&supervisor);
    assert_eq!((&wall["asked"], &wall["stands"]), (&json!(true), &json!(false)), "{wall}");
    assert!(wall["detail"].as_str().unwrap().contains("Delegate=yes"), "{wall}");
    assert!(supervisor.log().contains(wall["detail"].as_str().unwrap()), "{}", supervisor.log());
}
