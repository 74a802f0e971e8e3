//! The whole service: RabbitMQ in, PostgreSQL for the record, Redis for live views, two workers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use muster_intake::rabbitmq::QueuePublisher;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use crate::measured::MeasuredSupervisor;

/// Nothing here takes longer on a machine that works.
const DEADLINE: Duration = Duration::from_secs(300);
const IDLE_ROUNDS: usize = 300;

/// Measures throughput with a full queue, then latency with an empty one, and prints both.
pub(crate) fn run(executions: u32) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let servers = Servers::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(measure(&servers, executions))?;
    use std::io::Write;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

async fn measure(servers: &Servers, executions: u32) -> anyhow::Result<String> {
    let publisher = QueuePublisher::new(servers.url("MUSTER_AMQP_URL")?, "workflow-executions")?;
    let messages: Vec<Vec<u8>> = (0..executions).map(|_| message(Uuid::now_v7(), false)).collect();
    publisher.publish(&messages).await?;
    let folder = tempfile::tempdir()?;
    let supervisor = start_supervisor(servers, folder.path())?;
    let mut database = connect(servers.url("MUSTER_DATABASE_URL")?).await?;
    let started = Instant::now();
    loop {
        // Counting reads the whole table: often enough to notice the end, too seldom to be what is measured.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let done = count_done(&mut database).await;
        if done == i64::from(executions) {
            break;
        }
        anyhow::ensure!(started.elapsed() < DEADLINE, "{done} of {executions} after {DEADLINE:?}");
    }
    // The record knows when: the first claim and the last finalization write their events in their transactions.
    let seconds: f64 =
        sqlx::query("SELECT extract(epoch FROM max(at) - min(at))::float8 FROM execution_events")
            .fetch_one(&mut database)
            .await?
            .get(0);
    let cpu = supervisor.cpu_seconds();
    let (p50, p99) = idle_latency(servers, &publisher).await?;
    Ok(format!(
        "{executions} executions from first claim to last commit: {seconds:.2} s, {:.0} per second\n\
         supervisor and workers: {:.2} CPU seconds per 1,000 executions\n\
         idle, publish to sync reply (after the commit): p50 {p50:.2} ms, p99 {p99:.2} ms\n",
        f64::from(executions) / seconds,
        cpu * 1000.0 / f64::from(executions),
    ))
}

fn message(id: Uuid, sync: bool) -> Vec<u8> {
    let padding = "x".repeat(880);
    format!(r#"{{"execution_id":"{id}","workflow":"bench.noop","parameters":{{"padding":"{padding}"}},"sync":{sync}}}"#)
        .into_bytes()
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    let started = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return Ok(connection),
            Err(error) if started.elapsed() > DEADLINE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Zero also while the supervisor has not made the table yet.
async fn count_done(database: &mut PgConnection) -> i64 {
    let counted =
        sqlx::query("SELECT count(*) FROM executions WHERE status = 'SUCCESS'").fetch_one(database).await;
    counted.map(|row| row.get(0)).unwrap_or(0)
}

/// One execution at a time, from publishing its message to its sync reply.
async fn idle_latency(servers: &Servers, publisher: &QueuePublisher) -> anyhow::Result<(f64, f64)> {
    let mut redis = redis::Client::open(servers.url("MUSTER_REDIS_URL")?)?.get_connection()?;
    let mut times = Vec::with_capacity(IDLE_ROUNDS);
    for _ in 0..IDLE_ROUNDS {
        let id = Uuid::now_v7();
        let started = Instant::now();
        publisher.publish(&[message(id, true)]).await?;
        let reply: Option<(String, String)> =
            redis::cmd("BLPOP").arg(format!("muster:result:{id}")).arg(10).query(&mut redis)?;
        reply.context("no sync reply within 10 s")?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[IDLE_ROUNDS / 2], times[IDLE_ROUNDS * 99 / 100]))
}

/// Private servers, stopped at the end.
struct Servers {
    script: PathBuf,
    set: String,
    variables: Vec<(String, String)>,
}

impl Servers {
    #[expect(clippy::disallowed_methods, reason = "the script that starts servers is a program")]
    fn start() -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/services");
        let set = format!("bench-{}", std::process::id());
        let output = Command::new(&script).args(["--set", &set, "start"]).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let variables = text.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        });
        Ok(Self { script, set, variables: variables.collect() })
    }

    fn url(&self, name: &str) -> anyhow::Result<&str> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        Ok(found.with_context(|| format!("{name} is not among the servers' variables"))?.1.as_str())
    }
}

impl Drop for Servers {
    #[expect(clippy::disallowed_methods, reason = "the script that stops servers is a program")]
    fn drop(&mut self) {
        let _ = Command::new(&self.script).args(["--set", &self.set, "stop"]).output();
    }
}

#[expect(clippy::disallowed_methods, reason = "the bench runs the binary as a user does")]
fn start_supervisor(servers: &Servers, folder: &Path) -> anyhow::Result<MeasuredSupervisor> {
    let log = std::fs::File::create(folder.join("log"))?;
    let child = Command::new(std::env::current_exe()?.with_file_name("supervisor"))
        .args(["run", "--min-workers", "2", "--max-workers", "2", "--http-bind", "", "--log-level", "warn"])
        .args(["--worker-env", "MUSTER_CONFORMANCE=1", "--data-dir"])
        .arg(folder.join("data"))
        .envs(servers.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(MeasuredSupervisor::of(child))
}
