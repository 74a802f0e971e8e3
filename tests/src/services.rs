//! PostgreSQL, RabbitMQ and Redis for a test: see `scripts/services`, which this wraps.
//!
//! Most tests share one set, started by whoever needs it first and stopped by itself when nobody has needed it
//! for a while; each gets a database, a queue and a key prefix of its own. A test that breaks a server takes a
//! private set.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{ConnectOptions, Executor, postgres::PgConnectOptions};

use crate::Installation;
use crate::blocking::block_on;

/// How long the shared set waits for the next test.
const SHARED_IDLE_SECONDS: &str = "60";
/// A private set is stopped by its test; this is for a test that was killed.
const PRIVATE_IDLE_SECONDS: &str = "5";

/// One of the three servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// The server of the database, PostgreSQL.
    Postgres,
    /// The broker, RabbitMQ.
    RabbitMq,
    /// The cache, Redis.
    Redis,
}

impl ServerKind {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::RabbitMq => "rabbitmq",
            Self::Redis => "redis",
        }
    }
}

/// A running set of servers.
#[derive(Debug)]
pub struct Services {
    set: String,
    private: bool,
    urls: Backends,
}

/// What belongs to one test on a set of servers.
#[derive(Clone, Debug)]
pub struct Backends {
    /// The address of a fresh database.
    pub database_url: String,
    /// The address of the broker.
    pub amqp_url: String,
    /// The address of the cache.
    pub redis_url: String,
    /// A queue nobody else uses.
    pub queue: String,
    /// A prefix nobody else uses.
    pub key_prefix: String,
    /// Held for as long as anything of the set is used: whoever stops idle sets asks for it.
    pub used: Arc<File>,
}

impl Services {
    /// The set all tests share. Break nothing in it.
    ///
    /// # Panics
    /// When the servers cannot be started, with what is missing.
    #[track_caller]
    pub fn shared() -> Self {
        Self::start("tests".into(), false, &["--leave-when-idle", SHARED_IDLE_SECONDS])
    }

    /// A set of its own, stopped when dropped.
    ///
    /// # Panics
    /// When the servers cannot be started, with what is missing.
    #[track_caller]
    pub fn private() -> Self {
        Self::start(private_name(), true, &["--leave-when-idle", PRIVATE_IDLE_SECONDS])
    }

    /// A set of its own whose broker closes a channel after so long without an acknowledgement.
    ///
    /// # Panics
    /// When the servers cannot be started, with what is missing.
    #[track_caller]
    pub fn with_consumer_timeout(timeout_ms: u32) -> Self {
        let timeout = timeout_ms.to_string();
        let options = ["--leave-when-idle", PRIVATE_IDLE_SECONDS, "--consumer-timeout-ms", &timeout];
        Self::start(private_name(), true, &options)
    }

    /// A set of its own that speaks TLS only, with a private authority, and wants our certificate.
    ///
    /// # Panics
    /// When the servers cannot be started, with what is missing.
    #[track_caller]
    pub fn with_tls() -> Self {
        Self::start(private_name(), true, &["--tls", "--leave-when-idle", PRIVATE_IDLE_SECONDS])
    }

    /// The set's own backends: the database, the queue and the prefix that settings name by default.
    pub fn defaults(&self) -> Backends {
        Backends {
            queue: "workflow-executions".to_owned(),
            key_prefix: "muster".to_owned(),
            ..self.urls.clone()
        }
    }

    /// A file of the certificates of a set that speaks TLS.
    pub fn certificate(&self, name: &str) -> String {
        folder(&self.set).join("tls").join(name).display().to_string()
    }

    #[track_caller]
    fn start(set: String, private: bool, options: &[&str]) -> Self {
        let path = folder(&set).with_extension("users");
        let used = File::create(&path).and_then(|file| file.lock_shared().map(|()| file));
        let used = used.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines = script(&set, &[&["start"], options].concat());
        let url = |key: &str| {
            let line = lines.lines().find_map(|line| line.strip_prefix(&format!("export MUSTER_{key}_URL=")));
            line.unwrap_or_else(|| panic!("no {key} in {lines}")).trim_matches('\'').to_owned()
        };
        let urls = Backends {
            database_url: url("DATABASE"),
            amqp_url: url("AMQP"),
            redis_url: url("REDIS"),
            queue: String::new(),
            key_prefix: String::new(),
            used: Arc::new(used),
        };
        Self { set, private, urls }
    }

    /// A fresh database, and names that no other test uses.
    #[track_caller]
    pub fn fresh(&self) -> Backends {
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        create_database(&self.urls.database_url, &name);
        let (server, _) = self.urls.database_url.rsplit_once('/').unwrap_or_default();
        Backends {
            database_url: format!("{server}/{name}"),
            queue: name.clone(),
            key_prefix: name,
            ..self.urls.clone()
        }
    }

    /// Starts a server again, with the data it had.
    #[track_caller]
    pub fn start_again(&self, service: ServerKind) {
        script(&self.set, &["start", service.name()]);
    }

    /// Asks a server to leave, and waits.
    #[track_caller]
    pub fn stop(&self, service: ServerKind) {
        script(&self.set, &["stop", service.name()]);
    }

    /// Stops and starts a server.
    #[track_caller]
    pub fn restart(&self, service: ServerKind) {
        script(&self.set, &["restart", service.name()]);
    }

    /// Ends a server as a crash would.
    #[track_caller]
    pub fn kill(&self, service: ServerKind) {
        script(&self.set, &["kill", service.name()]);
    }

    /// Stops a server in its tracks: connections stay and nobody answers.
    #[track_caller]
    pub fn pause(&self, service: ServerKind) {
        script(&self.set, &["pause", service.name()]);
    }

    /// Lets a paused server go on.
    #[track_caller]
    pub fn resume(&self, service: ServerKind) {
        script(&self.set, &["resume", service.name()]);
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if self.private {
            // A panic here would hide the failure of the test; an idle set stops by itself.
            let _ = command(&self.set, &["stop"]).output();
            for end in ["users", "lock"] {
                let _ = std::fs::remove_file(folder(&self.set).with_extension(end));
            }
        }
    }
}

impl Installation {
    /// Uses these servers in place of the embedded backends.
    #[must_use]
    pub fn backends(self, backends: &Backends) -> Self {
        self.setting("database_url", &backends.database_url)
            .setting("amqp_url", &backends.amqp_url)
            .setting("redis_url", &backends.redis_url)
            .setting("queue", &backends.queue)
            .setting("key_prefix", &backends.key_prefix)
    }
}

/// Where scripts/services keeps the set.
fn folder(set: &str) -> PathBuf {
    PathBuf::from(format!("/tmp/muster-services-{}-{set}", rustix::process::getuid().as_raw()))
}

fn private_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("tests-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn command(set: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services"));
    command.args(["--set", set]).args(arguments);
    command
}

#[track_caller]
fn script(set: &str, arguments: &[&str]) -> String {
    let output = command(set, arguments).output();
    let output = output.unwrap_or_else(|error| panic!("scripts/services: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/services {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn create_database(url: &str, name: &str) {
    let created = block_on(async {
        let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
        connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await
    });
    created.unwrap_or_else(|error| panic!("creating the database {name}: {error}"));
}
