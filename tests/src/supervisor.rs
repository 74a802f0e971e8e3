//! A running `supervisor run`: ready or not, its log, its workers, its end.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{self, ProcessId};
use crate::{TestClient, eventually};

/// How much of the log a failing test shows.
const LOG_SHOWN_MAX_LINES: usize = 60;

/// The guard of the process: dropping it kills it.
#[derive(Debug)]
pub struct TestSupervisor {
    child: Child,
    client: TestClient,
    log: PathBuf,
}

impl TestSupervisor {
    pub(crate) fn spawn(mut command: Command, client: TestClient, log: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&log);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let same = file.try_clone().unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        command.stdin(Stdio::null()).stdout(file).stderr(same);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, client, log }
    }

    /// The process id of the supervisor.
    pub fn id(&self) -> ProcessId {
        self.child.id()
    }

    /// A client of the supervisor's HTTP interface.
    pub fn client(&self) -> &TestClient {
        &self.client
    }

    /// The processes it has started that live. Workers are its only children.
    pub fn workers(&self) -> Vec<ProcessId> {
        process::children(self.id())
    }

    /// All it has logged, and what supervisors before it in the same installation logged.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| file.read_to_end(&mut text));
        read.unwrap_or_else(|error| panic!("{}: {error}", self.log.display()));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until `/readyz` says so.
    #[track_caller]
    pub fn wait_ready(&self, within: Duration) {
        eventually("the supervisor is ready", within, || {
            assert!(process::is_alive(self.id()), "the supervisor ended before it was ready");
            self.client.try_get("/readyz").is_some_and(|response| response.status == 200)
        });
    }

    /// Asks it to leave (SIGTERM: drain) and waits for that.
    #[track_caller]
    pub fn terminate(mut self, within: Duration) -> ExitStatus {
        process::signal(self.id(), Signal::TERM);
        self.wait_exit(within)
    }

    /// Kills it as a power cut would, and reaps it. Its workers are left to themselves.
    pub fn kill(mut self) {
        process::signal(self.id(), Signal::KILL);
        self.wait_exit(Duration::from_secs(5));
    }

    /// Sends the supervisor a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.id(), signal);
    }

    /// Bounds the files it writes: what would go beyond is refused, as on a disk that is full.
    #[track_caller]
    pub fn limit_files(&self, bytes: u64) {
        process::limit_files(self.id(), bytes);
    }

    /// Waits for the process to end, and fails the test if it does not in time.
    #[track_caller]
    pub fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        eventually("the supervisor ends", within, || {
            self.child.try_wait().unwrap_or_else(|error| panic!("waiting for the supervisor: {error}"))
        })
    }
}

impl Drop for TestSupervisor {
    fn drop(&mut self) {
        // A process that is reaped already may have given its number away.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(LOG_SHOWN_MAX_LINES)..].join("\n");
            write_to_stderr(&format!("--- the end of {}:\n{shown}\n---\n", self.log.display()));
        }
    }
}

/// Through the handle, because a library does not print; nextest shows it with the failing test.
fn write_to_stderr(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
