//! A private RabbitMQ for tests: its own node, port and folder, gone when dropped.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::connect::{connect, parse};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running node.
pub(super) struct TestBroker {
    folder: tempfile::TempDir,
    port: u16,
    node: String,
    child: Child,
}

impl TestBroker {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let node = format!("muster-test-{port}@localhost");
        std::fs::write(folder.path().join("plugins"), "[].\n").unwrap();
        std::fs::write(folder.path().join("rabbitmq.conf"), "disk_free_limit.absolute = 50MB\n").unwrap();
        let child = spawn(&folder, port, &node);
        let broker = Self { folder, port, node, child };
        broker.wait_until_up().await;
        broker
    }

    pub(super) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Asks it to leave.
    pub(super) fn stop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// As a crash would. A node that has never left in order forgets queues it made lately: it writes its
    /// directory of quorum queues only every few minutes.
    pub(super) fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }

    fn signal(&mut self, signal: rustix::process::Signal) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, signal);
        self.child.wait().unwrap();
    }

    pub(super) async fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.node);
        self.wait_until_up().await;
    }

    /// Runs `rabbitmqctl` on the node.
    #[expect(clippy::disallowed_methods, reason = "a tool for a test is no worker")]
    pub(super) fn control(&self, arguments: &[&str]) {
        let output = Command::new(script("rabbitmqctl"))
            .env("HOME", self.folder.path())
            .args(["-n", &self.node])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {output:?}");
    }

    async fn wait_until_up(&self) {
        let uri = parse(&(&self.url()).into()).unwrap();
        let deadline = Instant::now() + START_LIMIT;
        while let Err(error) = connect(&uri, "test").await {
            assert!(Instant::now() < deadline, "rabbitmq does not start: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The package's inner script: the one in the PATH switches to the system's own node.
fn script(name: &str) -> PathBuf {
    let libraries = std::fs::read_dir("/usr/lib/rabbitmq/lib").expect("apt-get install rabbitmq-server");
    let server = libraries.map(|entry| entry.unwrap().path()).find(|path| path.join("sbin").exists());
    server.expect("apt-get install rabbitmq-server").join("sbin").join(name)
}

#[expect(clippy::disallowed_methods, reason = "a server for a test is no worker")]
fn spawn(folder: &tempfile::TempDir, port: u16, node: &str) -> Child {
    let folder = folder.path();
    Command::new(script("rabbitmq-server"))
        .env("HOME", folder)
        .env("RABBITMQ_NODENAME", node)
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_DIST_PORT", free_port().to_string())
        .env("RABBITMQ_PID_FILE", folder.join("pid"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        // Nothing of the system's own node: neither its settings nor its environment.
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("apt-get install rabbitmq-server")
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
