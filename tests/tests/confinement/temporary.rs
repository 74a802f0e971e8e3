//! The temporary folder of a worker: its own, empty at the beginning of a run, and gone when nobody needs it.

use std::path::{Path, PathBuf};

use muster_tests::{Installation, TestSupervisor, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, StartedBy, python, start};

const WORKFLOWS: &str = "
import multiprocessing, os, tempfile
from multiprocessing import util
from muster_worker import workflow

made_by_module = tempfile.mkdtemp()

@workflow
def leave():
    folder = tempfile.gettempdir()
    found = sorted(os.listdir(folder))
    with open(os.path.join(folder, 'left'), 'w') as file:
        file.write('of one execution')
    os.makedirs(os.path.join(folder, 'closed', 'inner'))
    os.chmod(os.path.join(folder, 'closed'), 0)
    return {
        'folder': folder, 'environment': os.environ.get('TMPDIR'), 'found': found,
        'module': os.path.isdir(made_by_module), 'library': os.path.isdir(util.get_temp_dir()),
        'mode': oct(os.stat(folder).st_mode & 0o777), 'uid': os.getuid(), 'owner': os.stat(folder).st_uid,
    }
";

fn installation() -> Installation {
    python(Installation::new())
        .workflow("work.py", WORKFLOWS)
        .setting("min_workers", 1)
        .setting("max_workers", 1)
}

fn leave(supervisor: &TestSupervisor) -> Value {
    let id = supervisor.client().submit(&json!({ "workflow": "leave" }));
    let row = supervisor.client().finished(&id, SOON);
    assert_eq!(row["status"], "SUCCESS", "{row}");
    row["result"].clone()
}

/// The folder of the supervisor that a worker's is in.
fn base(left: &Value) -> PathBuf {
    let folder = Path::new(left["folder"].as_str().unwrap());
    let base = folder.ancestors().find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("muster-workers-"))
    });
    base.unwrap_or_else(|| panic!("{left}")).to_owned()
}

/// What a run leaves is not there for the next one in the same worker; what its module made is.
fn each_run_finds_it_empty(installation: Installation, by: StartedBy) {
    let supervisor = start(&installation, by);
    eventually("workers are made as they will be", SOON, || {
        let state = supervisor.client().get("/api/pool").body["template"]["state"].clone();
        state == "stands" || state == "off" || state == "none"
    });
    let first = leave(&supervisor);
    let modules = first["found"].clone();
    for _ in 0..3 {
        let next = leave(&supervisor);
        assert_eq!(next["folder"], next["environment"], "{next}");
        assert_eq!(next["found"].as_array().map(Vec::len), modules.as_array().map(Vec::len), "{next}");
        assert_eq!((&next["module"], &next["library"]), (&json!(true), &json!(true)), "{next}");
        assert_eq!((&next["mode"], &next["owner"]), (&json!("0o700"), &next["uid"]), "{next}");
    }
    let base = base(&first);
    assert!(base.is_dir());
    assert!(supervisor.terminate(SOON).success());
    assert!(!base.exists(), "an orderly end leaves nothing");
    installation.assert_nothing_left();
}

#[test]
fn what_a_run_leaves_there_is_not_there_for_the_next() {
    each_run_finds_it_empty(installation().setting("template", "off"), StartedBy::OrdinaryUser);
}

#[test]
fn nor_in_a_worker_that_a_template_made() {
    each_run_finds_it_empty(installation(), StartedBy::OrdinaryUser);
}

#[test]
fn nor_where_the_folder_is_another_users() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can start a worker as another user");
        return;
    }
    let of_range = || installation().setting("worker_user", "900200-900209");
    each_run_finds_it_empty(of_range().setting("template", "off"), StartedBy::RootForUsers);
    each_run_finds_it_empty(of_range(), StartedBy::RootForUsers);
}

#[test]
fn what_a_killed_supervisor_left_is_removed_at_the_next_start() {
    let installation = installation();
    let supervisor = start(&installation, StartedBy::Root);
    let left = base(&leave(&supervisor));
    assert!(left.is_dir());
    supervisor.kill();
    let next = installation.start();
    eventually("it is swept", SOON, || !left.exists());
    let base = base(&leave(&next));
    assert!(base.is_dir() && base != left);
}

#[test]
fn a_folder_that_the_settings_name_is_shared_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().display().to_string();
    let installation = installation();
    let variables = format!(
        "PYTHONPATH={} TMPDIR={shown}",
        muster_tests::binaries::repository("worker/python").display()
    );
    let installation = installation.setting("worker_env", variables).setting("log_level", "info");
    let supervisor = installation.start();
    assert_eq!(leave(&supervisor)["environment"], shown);
    assert!(folder.path().join("left").exists());
    let log = supervisor.log();
    assert!(log.contains("worker_env sets TMPDIR"), "{log}");
}
