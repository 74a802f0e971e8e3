//! The embedded default: one supervisor with SQLite, two workers, and a client that speaks HTTP.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::measured::MeasuredSupervisor;

const DEADLINE: Duration = Duration::from_secs(300);
const CONNECTIONS: u32 = 32;
const IDLE_ROUNDS: u32 = 1_000;
/// Those that are not counted: caches fill, and the workers have started.
const WARM_UP_ROUNDS: u32 = 100;
const TOKEN: &str = "bench-token-of-the-embedded-service";

/// Measures this build, and beside it an older one whose binaries are in `against`.
pub(crate) fn run(executions: u32, against: Option<PathBuf>) -> anyhow::Result<()> {
    let here = std::env::current_exe()?.parent().context("this program has no folder")?.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut text = String::new();
    for folder in std::iter::once(here).chain(against) {
        let measured = runtime.block_on(measure(&folder, executions))?;
        text.push_str(&format!("{}\n{measured}", folder.display()));
    }
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

async fn measure(binaries: &Path, executions: u32) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    // A worker that is never ready: what is submitted waits.
    let supervisor = EmbeddedSupervisor::start(binaries, folder.path(), "sleep 1000").await?;
    let begun = Instant::now();
    let of_each = executions / CONNECTIONS;
    let clients = (0..CONNECTIONS).map(|_| supervisor.submit(of_each));
    try_join_all(clients).await?;
    let submitted = f64::from(of_each * CONNECTIONS) / begun.elapsed().as_secs_f64();
    let submit_cpu = supervisor.process.own_cpu_seconds() * 1e6 / f64::from(of_each * CONNECTIONS);
    drop(supervisor);

    let worker = binaries.join("worker");
    let supervisor =
        EmbeddedSupervisor::start(binaries, folder.path(), &worker.display().to_string()).await?;
    let drained = f64::from(of_each * CONNECTIONS) / drain(folder.path()).await?;
    let mut connection = supervisor.connect().await?;
    let mut times = Vec::new();
    for round in 0..WARM_UP_ROUNDS + IDLE_ROUNDS {
        let sent = Instant::now();
        connection.post("/api/executions?wait=10", 200).await?;
        if round >= WARM_UP_ROUNDS {
            times.push(sent.elapsed().as_secs_f64() * 1000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(format!(
        "  POST, answered 202, {CONNECTIONS} connections: {submitted:.0} per second, {submit_cpu:.0} CPU us each\n  \
         draining {} waiting rows: {drained:.0} per second\n  \
         POST with ?wait, one connection: p50 {:.2} ms, p99 {:.2} ms\n",
        of_each * CONNECTIONS,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    ))
}

/// Waits until nothing waits any more; gives the seconds from the first claim to the last commit.
async fn drain(folder: &Path) -> anyhow::Result<f64> {
    let mut file = SqliteConnectOptions::new().filename(database(folder)?).read_only(true).connect().await?;
    let begun = Instant::now();
    // Counting reads the table: often enough to notice the end, too seldom to be what is measured.
    while left(&mut file).await? > 0 {
        anyhow::ensure!(begun.elapsed() < DEADLINE, "not drained within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let query =
        "SELECT CAST(max(at) - min(at) AS REAL) / 1e6 FROM execution_events WHERE event <> 'submitted'";
    Ok(sqlx::query(query).fetch_one(&mut file).await?.get(0))
}

async fn left(file: &mut SqliteConnection) -> anyhow::Result<i64> {
    let query = "SELECT count(*) FROM executions WHERE status IN ('PENDING', 'RUNNING')";
    Ok(sqlx::query(query).fetch_one(file).await?.get(0))
}

/// The one database in the folder.
fn database(folder: &Path) -> anyhow::Result<PathBuf> {
    let files = std::fs::read_dir(folder.join("data"))?.flatten().map(|entry| entry.path());
    let is_database = |path: &PathBuf| path.extension().is_some_and(|it| it == "db" || it == "sqlite");
    files.into_iter().find(is_database).context("there is no database in the data folder")
}

/// The supervisor under measurement, and where it listens.
struct EmbeddedSupervisor {
    process: MeasuredSupervisor,
    address: String,
}

impl EmbeddedSupervisor {
    #[expect(clippy::disallowed_methods, reason = "the bench runs the binary as a user does")]
    async fn start(binaries: &Path, folder: &Path, worker: &str) -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(binaries.join("supervisor"))
            .args(["run", "--min-workers", "2", "--max-workers", "2", "--http-bind", &address])
            .args([
                "--log-level",
                "error",
                "--worker-env",
                "MUSTER_CONFORMANCE=1",
                "--worker-command",
                worker,
            ])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .env("MUSTER_HTTP_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()?;
        let mut supervisor = Self { process: MeasuredSupervisor::of(child), address };
        let begun = Instant::now();
        // One more than is measured: the interface answers before executions are taken in.
        while supervisor.submit(1).await.is_err() {
            if let Some(status) = supervisor.process.ended()? {
                let log = std::fs::read_to_string(folder.join("log"))?;
                anyhow::bail!("the supervisor ended ({status}): {log}");
            }
            anyhow::ensure!(begun.elapsed() < DEADLINE, "no supervisor at {}", supervisor.address);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(supervisor)
    }

    async fn connect(&self) -> anyhow::Result<HttpConnection> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(HttpConnection { stream, read: Vec::new() })
    }

    async fn submit(&self, count: u32) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        for _ in 0..count {
            connection.post("/api/executions", 202).await?;
        }
        Ok(())
    }
}

/// One connection that stays open, and costs as little as it can.
struct HttpConnection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl HttpConnection {
    /// Submits one execution of 1 KiB.
    async fn post(&mut self, path: &str, expected: u16) -> anyhow::Result<()> {
        let padding = "x".repeat(960);
        let body = format!(r#"{{"workflow":"bench.noop","parameters":{{"padding":"{padding}"}}}}"#);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        let (status, text) = self.answer().await?;
        anyhow::ensure!(status == expected, "POST {path}: {status} {text}");
        Ok(())
    }

    /// Reads one answer that says its length.
    async fn answer(&mut self) -> anyhow::Result<(u16, String)> {
        self.read.clear();
        loop {
            anyhow::ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the connection was closed");
            let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.read[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.context("an answer without its length")?.trim().parse()?;
            if self.read.len() >= end + 4 + length {
                let status = head.split_ascii_whitespace().nth(1).context("an answer without status")?;
                return Ok((status.parse()?, String::from_utf8_lossy(&self.read[end + 4..]).into_owned()));
            }
        }
    }
}
