//! What is submitted over HTTP, on either store: how many submits are answered, how fast what waits is drained, and how long
//! a lone execution takes.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::http::{HttpConnection, TOKEN};
use crate::measured::MeasuredSupervisor;
use crate::record::MeasuredRecord;

const DEADLINE: Duration = Duration::from_secs(300);
const CONNECTIONS: u32 = 32;
const IDLE_ROUNDS: u32 = 1_000;
/// Those that are not counted: caches fill, and the workers have started.
const WARM_UP_ROUNDS: u32 = 100;

/// Measures these binaries; `database` is the address of PostgreSQL, or `None` for the embedded store.
pub(crate) async fn measure(
    binaries: &Path,
    executions: u32,
    database: Option<&str>,
) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let start = |worker| PostedSupervisor::start(binaries, folder.path(), worker, database);
    // A worker that is never ready: what is submitted waits.
    let supervisor = start("sleep 1000").await?;
    let begun = Instant::now();
    let of_each = executions / CONNECTIONS;
    let clients = (0..CONNECTIONS).map(|_| supervisor.submit(of_each));
    try_join_all(clients).await?;
    let count = of_each * CONNECTIONS;
    let submitted = f64::from(count) / begun.elapsed().as_secs_f64();
    let submit_cpu = supervisor.process.own_cpu_seconds() * 1e6 / f64::from(count);
    drop(supervisor);

    let supervisor = start(&binaries.join("worker").display().to_string()).await?;
    let mut record = match database {
        None => MeasuredRecord::of_folder(&folder.path().join("data")).await?,
        Some(url) => MeasuredRecord::of_server(url).await?,
    };
    let drained = f64::from(count) / drain(&mut record, count).await?;
    let mut connection = HttpConnection::to(&supervisor.address).await?;
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
         draining {count} waiting rows: {drained:.0} per second\n  \
         POST with ?wait, one connection: p50 {:.2} ms, p99 {:.2} ms\n",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    ))
}

/// Waits until nothing waits any more; gives the seconds from the first commit of an outcome to the last.
async fn drain(record: &mut MeasuredRecord, count: u32) -> anyhow::Result<f64> {
    let begun = Instant::now();
    // Counting reads the table: often enough to notice the end, too seldom to be what is measured.
    while record.left().await? > 0 {
        anyhow::ensure!(begun.elapsed() < DEADLINE, "not drained within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    record.seconds_of_newest(count).await
}

/// The supervisor under measurement, and where it listens.
struct PostedSupervisor {
    process: MeasuredSupervisor,
    address: String,
}

impl PostedSupervisor {
    async fn start(
        binaries: &Path,
        folder: &Path,
        worker: &str,
        database: Option<&str>,
    ) -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut environment = vec![("MUSTER_HTTP_TOKEN".to_owned(), TOKEN.to_owned())];
        environment.extend(database.map(|url| ("MUSTER_DATABASE_URL".to_owned(), url.to_owned())));
        let arguments = ["--http-bind", &address, "--worker-command", worker];
        let process = MeasuredSupervisor::start(binaries, folder, &arguments, &environment)?;
        let mut supervisor = Self { process, address };
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

    async fn submit(&self, count: u32) -> anyhow::Result<()> {
        let mut connection = HttpConnection::to(&self.address).await?;
        for _ in 0..count {
            connection.post("/api/executions", 202).await?;
        }
        Ok(())
    }
}
