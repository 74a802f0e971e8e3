//! A supervisor in one of the ways it is started, at one level, with everything around it that workers try to reach.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use muster_tests::binaries::repository;
use muster_tests::{Installation, TestSupervisor, eventually, process};
use rustix::process::Signal;
use serde_json::{Value, json};

pub(crate) const SOON: Duration = Duration::from_secs(60);
/// What a run leaves is ended so soon after it.
const ENDED_WITHIN: Duration = Duration::from_secs(3);
/// `nobody`, on every Linux.
pub(crate) const ORDINARY_USER: u32 = 65534;
/// Users that nobody has, one for each worker.
const WORKER_USERS: &str = "900000-900099";

/// Who starts the supervisor, and as whom workers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartedBy {
    /// Root, and workers stay root.
    Root,
    /// Root, and each worker has a user of its own.
    RootForUsers,
    /// An ordinary user.
    OrdinaryUser,
}

impl StartedBy {
    pub(crate) const ALL: [Self; 3] = [Self::Root, Self::RootForUsers, Self::OrdinaryUser];

    pub(crate) fn is_possible(self) -> bool {
        self == Self::OrdinaryUser || rustix::process::geteuid().is_root()
    }

    /// The levels that make sense: nobody becomes another user without walls.
    pub(crate) fn levels(self) -> &'static [&'static str] {
        match self {
            Self::Root | Self::OrdinaryUser => &["off", "scoped", "strict"],
            Self::RootForUsers => &["scoped", "strict"],
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::RootForUsers => "root, worker_user a range",
            Self::OrdinaryUser => "ordinary user",
        }
    }
}

/// In which language the tries are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    /// Workers made of a template.
    PythonTemplate,
    Node,
    JavaScript,
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::Python, Self::PythonTemplate, Self::Node, Self::JavaScript];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::PythonTemplate => "Python, workers made of a template",
            Self::Node => "Node",
            Self::JavaScript => "JavaScript of the default worker",
        }
    }

    /// JavaScript of the default worker has no way to.
    fn starts_processes(self) -> bool {
        match self {
            Self::Python | Self::PythonTemplate | Self::Node => true,
            Self::JavaScript => false,
        }
    }

    fn of(self, installation: Installation) -> Installation {
        match self {
            Self::Python => python(installation.setting("template", "off"))
                .workflow("probes.py", include_str!("probes.py")),
            Self::PythonTemplate => python(installation).workflow("probes.py", include_str!("probes.py")),
            Self::Node => {
                let worker = repository("worker/node/bin/muster-worker").display().to_string();
                installation.worker([worker]).workflow("probes.js", include_str!("probes.node.js"))
            }
            Self::JavaScript => installation.workflow("probe.js", include_str!("probes.default.js")),
        }
    }
}

/// Makes it run Python, with an interpreter that every user may start.
pub(crate) fn python(installation: Installation) -> Installation {
    let system = "/usr/bin/python3";
    let python = if Path::new(system).exists() { system } else { "python3" };
    installation
        .worker([python, "-m", "muster_worker"])
        .setting("worker_env", format!("PYTHONPATH={}", repository("worker/python").display()))
}

/// Who starts a process as an ordinary user: nobody has to, when that is who runs the tests.
pub(crate) fn as_ordinary_user() -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let (user, group) = (format!("--reuid={ORDINARY_USER}"), format!("--regid={ORDINARY_USER}"));
    ["setpriv", &user, &group, "--clear-groups"].map(str::to_owned).to_vec()
}

/// All there is to try.
pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) supervisor: TestSupervisor,
    language: Language,
    outside: tempfile::TempDir,
    server: TcpListener,
    allowed: TcpListener,
    abstract_name: String,
    _sockets: [UnixListener; 2],
}

impl World {
    pub(crate) fn start(by: StartedBy, level: &str, language: Language) -> Self {
        let outside = tempfile::tempdir().unwrap();
        fs::set_permissions(outside.path(), Permissions::from_mode(0o755)).unwrap();
        for name in ["open", "allowed"] {
            fs::create_dir(outside.path().join(name)).unwrap();
            fs::set_permissions(outside.path().join(name), Permissions::from_mode(0o777)).unwrap();
        }
        let [server, allowed] = [(); 2].map(|()| answering());
        let socket = outside.path().join("socket");
        let abstract_name = format!("muster-probe-{}", outside.path().display());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let sockets = [UnixListener::bind(&socket).unwrap(), UnixListener::bind_addr(&address).unwrap()];
        fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
        let mut limits = vec!["files=200", "file_size_mb=8", "address_space_mb=6000"];
        if by == StartedBy::RootForUsers {
            // Another user's processes count too, and tests beside this one run as the same ordinary user.
            limits.push("processes=40");
        }
        let limits = if level == "off" { String::new() } else { limits.join(" ") };
        let mut installation = language
            .of(Installation::new())
            .setting("max_workers", 2)
            .setting("confinement", level)
            .setting("worker_limits", limits)
            .setting("worker_ports", port(&allowed))
            .setting("worker_paths_rw", outside.path().join("allowed").display());
        if by == StartedBy::RootForUsers {
            installation = installation.setting("worker_user", WORKER_USERS);
        }
        let settings = installation.path("muster.toml");
        fs::write(&settings, "key_prefix = \"muster\"\n").unwrap();
        let supervisor = start(&installation, by);
        let world = Self {
            installation,
            supervisor,
            language,
            outside,
            server,
            allowed,
            abstract_name,
            _sockets: sockets,
        };
        world.eventually_two_workers();
        world
    }

    fn eventually_two_workers(&self) {
        eventually("two workers are ready", SOON, || self.workers().len() == 2);
    }

    /// The processes of its workers.
    pub(crate) fn workers(&self) -> Vec<u64> {
        let pool = self.supervisor.client().get("/api/pool").body;
        let workers = pool["workers"].as_array().cloned().unwrap_or_default();
        let ready = workers.iter().filter(|worker| worker["state"] == "idle");
        ready.filter_map(|worker| worker["pid"].as_u64()).collect()
    }

    /// What came of each try.
    pub(crate) fn outcomes(&self) -> Vec<(String, String)> {
        let path = |path: PathBuf| path.display().to_string();
        let url = self.installation.url();
        let at = json!({
            "supervisor": self.supervisor.id(),
            "workers": self.workers(),
            "data_dir": path(self.installation.path("data")),
            "settings": path(self.installation.path("muster.toml")),
            "workflows_dir": path(self.installation.path("workflows")),
            "api": url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()),
            "server": port(&self.server),
            "allowed": port(&self.allowed),
            "socket": path(self.outside.path().join("socket")),
            "abstract": self.abstract_name,
            "open_folder": path(self.outside.path().join("open")),
            "allowed_folder": path(self.outside.path().join("allowed")),
        });
        let parameters = json!({ "workflow": "probe", "parameters": parameters(&at, &self.installation) });
        let client = self.supervisor.client();
        let row = client.finished(&client.submit(&parameters), SOON);
        assert_eq!(row["status"], "SUCCESS", "{row}");
        let mut outcomes: Vec<(String, String)> = serde_json::from_value(row["result"].clone()).unwrap();
        if self.language.starts_processes() {
            outcomes.extend([self.left_behind(false), self.left_behind(true)]);
        }
        outcomes
    }

    /// Whether a process outlives the run that started it.
    fn left_behind(&self, forgets: bool) -> (String, String) {
        let also = if forgets { " with an empty environment" } else { "" };
        let name = format!("leave a process{also} behind, by two forks and setsid");
        let client = self.supervisor.client();
        let request = json!({ "workflow": "leave", "parameters": { "forgets": forgets } });
        let row = client.finished(&client.submit(&request), SOON);
        let left = row["result"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let left = left.unwrap_or_else(|| panic!("{row}"));
        // Nothing tells that a process will not be ended any more.
        let deadline = Instant::now() + ENDED_WITHIN;
        while process::is_alive(left) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let is_left = process::is_alive(left);
        if is_left {
            process::signal(left, Signal::KILL);
        }
        (name, if is_left { "allowed" } else { "refused" }.to_owned())
    }
}

/// The Python workflow takes one parameter by its name; the others take what they are given.
fn parameters(at: &Value, installation: &Installation) -> Value {
    if installation.path("workflows/probes.py").exists() { json!({ "at": at }) } else { at.clone() }
}

pub(crate) fn start(installation: &Installation, by: StartedBy) -> TestSupervisor {
    let words = if by == StartedBy::OrdinaryUser { as_ordinary_user() } else { Vec::new() };
    if !words.is_empty() {
        hand_over(installation.folder());
    }
    fs::set_permissions(installation.folder(), Permissions::from_mode(0o755)).unwrap();
    let supervisor = installation.spawn_under(&words.iter().map(String::as_str).collect::<Vec<_>>());
    supervisor.wait_ready(SOON);
    supervisor
}

/// Gives a folder and all in it to the ordinary user.
pub(crate) fn hand_over(path: &Path) {
    std::os::unix::fs::chown(path, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        hand_over(&entry.path());
    }
}

/// A server that answers whatever it is asked, as long as the test runs.
fn answering() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let served = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        for connection in served.incoming().flatten() {
            std::thread::spawn(move || answer(connection));
        }
    });
    listener
}

fn answer(mut connection: std::net::TcpStream) {
    use std::io::{Read, Write};
    let mut asked = [0; 4096];
    let _ = connection.read(&mut asked);
    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}
