//! A folder in which supervisors run: settings, workflows, data, log. Several may run in it, one after another.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use muster_system::process::WorkerLeaves;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{ClientToken, TestClient, TestSupervisor, binaries, eventually, process};

/// How long what a supervisor started may outlive it (a worker leaves 2 s after the end of its stdin).
const LEFTOVERS_GONE_WITHIN: Duration = Duration::from_secs(8);

/// A temporary folder with settings and workflows, and a port of its own.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    settings: BTreeMap<String, String>,
    port: u16,
    /// The folder of the executables that run here; `None`: those of this build.
    build: Option<PathBuf>,
}

impl Default for Installation {
    fn default() -> Self {
        Self::new()
    }
}

impl Installation {
    /// An empty workflows folder, the default worker, two workers, the embedded backends.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("muster-test-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let port = free_port();
        let installation = Self { folder, settings: BTreeMap::new(), port, build: None };
        fs::create_dir(installation.path("workflows")).unwrap_or_else(|error| panic!("workflows: {error}"));
        let workflows = installation.path("workflows");
        let data = installation.path("data");
        installation
            .setting("workflows_dir", workflows.display())
            .setting("data_dir", data.display())
            .setting("http_bind", format!("127.0.0.1:{port}"))
            .setting("worker_command", shell_words::join([binaries::worker().to_string_lossy()]))
            .setting("min_workers", 2)
            .setting("max_workers", 4)
            .setting("log_format", "json")
    }

    /// Sets one setting, by its name in the settings table.
    #[must_use]
    pub fn setting(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.insert(key.to_owned(), value.to_string());
        self
    }

    /// Leaves one setting to `muster.toml` in the folder, which a running supervisor can read again.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.settings.remove(key);
        self
    }

    /// Runs this worker command in place of the default worker: see [`rogue`].
    #[must_use]
    pub fn worker<S: AsRef<str>>(self, command: impl IntoIterator<Item = S>) -> Self {
        self.setting("worker_command", shell_words::join(command))
    }

    /// Runs the `supervisor` and the default `worker` of another build, by their folder; `None`: of this one.
    #[must_use]
    pub fn build(mut self, build: Option<&Path>) -> Self {
        self.build = build.map(Path::to_owned);
        let worker = build.map_or_else(binaries::worker, |folder| folder.join("worker"));
        self.worker([worker.to_string_lossy()])
    }

    /// Writes a file into the workflows folder.
    #[must_use]
    pub fn workflow(self, file: &str, text: &str) -> Self {
        let path = self.path("workflows").join(file);
        let folder = path.parent().unwrap_or(self.folder());
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// The folder of the installation, gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of something in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Where a supervisor of this installation answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A command of the `supervisor` executable, with the settings in its environment and nothing else of ours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// The same, started by another program such as `prlimit`.
    fn command_under(&self, program: &[&str], arguments: &[&str]) -> Command {
        let supervisor =
            self.build.as_ref().map_or_else(binaries::supervisor, |folder| folder.join("supervisor"));
        let mut words = program.iter().map(OsStr::new).chain([supervisor.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(arguments).current_dir(self.folder());
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("MUSTER_") {
                command.env_remove(key);
            }
        }
        command.env("MUSTER_URL", self.url());
        command
            .envs(self.settings.iter().map(|(key, value)| (format!("MUSTER_{}", key.to_uppercase()), value)));
        command
    }

    /// Runs a command of the `supervisor` executable to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output();
        output.unwrap_or_else(|error| panic!("supervisor {arguments:?}: {error}"))
    }

    /// Starts the service and waits until it says it is ready.
    #[track_caller]
    pub fn start(&self) -> TestSupervisor {
        let supervisor = self.spawn();
        supervisor.wait_ready(Duration::from_secs(30));
        supervisor
    }

    /// Starts the service and waits for nothing.
    #[track_caller]
    pub fn spawn(&self) -> TestSupervisor {
        self.spawn_under(&[])
    }

    /// Starts the service through a program that takes a command, and waits for nothing.
    #[track_caller]
    pub fn spawn_under(&self, program: &[&str]) -> TestSupervisor {
        let client = TestClient::new(self.url(), self.token());
        TestSupervisor::spawn(self.command_under(program, &["run"]), client, self.path("supervisor.log"))
    }

    /// What its supervisors want to be shown.
    fn token(&self) -> ClientToken {
        match self.settings.get("http_token").map(String::as_str) {
            None | Some("") => ClientToken::Kept(Path::new(&self.settings["data_dir"]).join("http_token")),
            Some("none") => ClientToken::None,
            Some(token) => ClientToken::Given(token.to_owned()),
        }
    }

    /// The processes that run in this folder, supervisors included.
    pub fn processes(&self) -> Vec<process::ProcessId> {
        process::in_folder(self.folder())
    }

    /// Waits until no process is left in this folder.
    ///
    /// # Panics
    /// When one stays, with its command line.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let deadline = std::time::Instant::now() + LEFTOVERS_GONE_WITHIN;
        eventually("every process of the installation is gone", LEFTOVERS_GONE_WITHIN * 2, || {
            let left = self.processes();
            if std::time::Instant::now() > deadline {
                let lines: Vec<_> = left.iter().map(|pid| (pid, process::command_line(*pid))).collect();
                assert!(left.is_empty(), "still running: {lines:?}");
            }
            left.is_empty()
        });
    }
}

impl Drop for Installation {
    /// A failed test leaves no process behind either.
    fn drop(&mut self) {
        for process in self.processes() {
            process::signal(process, Signal::KILL);
        }
        // Nor a control group, where the last supervisor was killed.
        if let Some(data_dir) = self.settings.get("data_dir") {
            WorkerLeaves::end_left(Path::new(data_dir));
        }
    }
}

/// The command of a rogue worker with these flags.
pub fn rogue(flags: &[&str]) -> Vec<String> {
    let binary = binaries::rogue_worker().to_string_lossy().into_owned();
    [binary].into_iter().chain(flags.iter().map(|&flag| flag.to_owned())).collect()
}

/// A port nobody listens on. Another process may take it before we do; tests then fail loudly at their start.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.unwrap_or_else(|error| panic!("no free port: {error}")).port()
}
