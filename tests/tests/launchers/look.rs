//! What becomes of a worker behind a launcher.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use muster_tests::{Installation, eventually, rogue};
use serde_json::{Value, json};

use super::launcher::Launcher;

const SOON: Duration = Duration::from_secs(30);

/// What was seen.
#[derive(Debug)]
pub(crate) struct Look {
    /// The launcher's own status when its program exits with 7, and when SIGKILL ends it.
    pub(crate) own: [String; 2],
    /// How a worker that exits with 7 in a run is told.
    pub(crate) exit: String,
    /// How one that a signal ends is told.
    pub(crate) signal: String,
    /// The status of a run that goes beyond its limit and cannot be talked to.
    pub(crate) limit: String,
    /// How long a supervisor takes to leave with an idle worker behind it.
    pub(crate) stop: Duration,
}

impl Look {
    /// Starts supervisors with workers behind this launcher, and looks.
    pub(crate) fn at(launcher: &Launcher) -> Self {
        Self {
            own: [own(launcher, "exit 7"), own(launcher, "kill -9 $$")],
            exit: crash(launcher, &["--exit-code", "7", "--only", "crash"]),
            signal: signalled(launcher),
            limit: limit(launcher),
            stop: stop(launcher),
        }
    }

    /// What must hold whatever the launcher.
    #[track_caller]
    pub(crate) fn assert_right(&self, launcher: &Launcher) {
        let name = launcher.name;
        assert_eq!(self.limit, "TIMEOUT", "{name}");
        assert!(self.stop < Duration::from_secs(4), "{name}: an idle worker took {:?} to leave", self.stop);
        // A worker that its launcher has left is process 1's, and how it ended is known once that reaps it.
        let is_told = |message: &str, status: &str| {
            message.contains(status) || (launcher.leaves && message.contains("an unknown exit status"))
        };
        assert!(is_told(&self.exit, "exit status 7"), "{name}: {}", self.exit);
        assert!(is_told(&self.signal, "signal 9"), "{name}: {}", self.signal);
    }
}

fn installation(launcher: &Launcher, flags: &[&str]) -> Installation {
    let installation = Installation::new().setting("min_workers", 1).setting("max_workers", 1);
    let command = launcher.command(installation.folder(), &rogue(flags));
    // Without it pipenv keeps an environment in the home folder for each folder it ever saw.
    let confinement = if launcher.needs_rights { "off" } else { "scoped" };
    installation
        .worker(command)
        .setting("worker_env", "PIPENV_VENV_IN_PROJECT=1")
        .setting("confinement", confinement)
}

/// The message of a run in which the worker crashes, and its neighbour's success.
fn crash(launcher: &Launcher, flags: &[&str]) -> String {
    let installation = installation(launcher, flags);
    let supervisor = installation.start();
    let client = supervisor.client();
    let echo = client.submit(&json!({ "workflow": "echo", "parameters": { "number": 1 } }));
    assert_eq!(client.finished(&echo, SOON)["status"], "SUCCESS", "{}", supervisor.log());
    let row = client.finished(&client.submit(&json!({ "workflow": "crash", "parameters": {} })), SOON);
    let again = client.submit(&json!({ "workflow": "echo", "parameters": { "number": 2 } }));
    assert_eq!(client.finished(&again, SOON)["status"], "SUCCESS", "the pool has another worker");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
    row["error_message"].as_str().unwrap_or_default().to_owned()
}

/// The message of a run whose worker is killed by somebody.
fn signalled(launcher: &Launcher) -> String {
    let installation = installation(launcher, &["--stderr", "started", "--only", "sleep"]);
    let supervisor = installation.start();
    let client = supervisor.client();
    let id = client.submit(&json!({ "workflow": "sleep", "parameters": { "seconds": 60 } }));
    // One that dies before it has said Started costs nobody anything: another worker gets the run.
    eventually("it has started", SOON, || client.logs(&id).iter().any(|line| line["message"] == "started"));
    let worker = eventually("the worker is found", SOON, || {
        installation.processes().into_iter().find(|process| {
            let line = muster_tests::process::command_line(*process);
            let first = line.split(['\0', ' ']).next().unwrap_or_default();
            first.ends_with("rogue_worker")
        })
    });
    muster_tests::process::signal(worker, rustix::process::Signal::KILL);
    let row = client.finished(&id, SOON);
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
    row["error_message"].as_str().unwrap_or_default().to_owned()
}

/// The status of a run that ignores its limit and every signal but one.
fn limit(launcher: &Launcher) -> String {
    let installation = installation(launcher, &["--ignore-cancel", "--only", "busy"])
        .setting("graceful_shutdown_seconds", "0.2");
    let supervisor = installation.start();
    let client = supervisor.client();
    let id = client.submit(&json!({ "workflow": "busy", "parameters": {}, "timeout_seconds": 0.3 }));
    let row = client.finished(&id, SOON);
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
    text(&row["status"])
}

/// How long the supervisor takes to leave, with an idle worker.
fn stop(launcher: &Launcher) -> Duration {
    let installation = installation(launcher, &[]);
    let supervisor = installation.start();
    eventually("the worker is ready", SOON, || {
        let workers = supervisor.client().get("/api/pool").body;
        workers["workers"].as_array().is_some_and(|all| all.iter().any(|worker| worker["state"] == "idle"))
    });
    let asked = Instant::now();
    assert!(supervisor.terminate(SOON).success());
    let stop = asked.elapsed();
    installation.assert_nothing_left();
    stop
}

/// How the launcher itself ends when its program ends like this.
fn own(launcher: &Launcher, script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let program = ["sh", "-c", script].map(str::to_owned);
    let words = launcher.command(folder.path(), &program);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(folder.path()).env("PIPENV_VENV_IN_PROJECT", "1").process_group(0);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "-".to_owned(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
