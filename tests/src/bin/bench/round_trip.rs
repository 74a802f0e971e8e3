//! The pool's round trip: submit to outcome, through the executor and a real worker, with nothing else around it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use muster_core::execution::{Attempt, Change, CompletedRun, LogLine, RunConfig, RunEnding};
use muster_core::pool::{PoolConfig, WorkerId};
use muster_protocol::{CONFORMANCE_ENV, CodeSource, JsonBytes, LogLevel, PROTOCOL_ENV};
use muster_supervisor::executor::{
    Executor, ExecutorHandle, ExecutorObserver, ExecutorOptions, RunProgress, RunRecording, RunSpec,
    WorkerSpec,
};
use muster_supervisor::settings::TranscriptPolicy;
use muster_system::process::Launch;
use rustix::process::Pid;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::pin;
use crate::ping_pong::{self, Cost};

const BOTH: [usize; 2] = [0, 1];

/// Measures every placement and prints a table.
pub(crate) fn compare(round_trips: u32, worker: Option<PathBuf>) -> anyhow::Result<()> {
    let worker = match worker {
        Some(worker) => std::path::absolute(worker)?,
        None => std::env::current_exe()?.with_file_name("worker"),
    };
    let mut table =
        String::from("placement   workers   bare pipe us   pool us   ratio   bare cpu us   pool cpu us\n");
    for (name, here, there) in [("one core", &BOTH[..1], &BOTH[..1]), ("two cores", &BOTH[..1], &BOTH[1..])] {
        for workers in [1, 8] {
            let bare = ping_pong::measure(round_trips / workers, workers, here, there)?;
            let pool = measure(&worker, round_trips, workers, here, there)?;
            let us = |time: Duration| time.as_nanos() as f64 / 1000.0;
            table.push_str(&format!(
                "{name:10}  {workers:7}   {:12.1}   {:7.1}   {:5.2}   {:11.1}   {:11.1}\n",
                us(bare.wall),
                us(pool.wall),
                us(pool.wall) / us(bare.wall),
                us(bare.cpu),
                us(pool.cpu),
            ));
        }
    }
    use std::io::Write;
    std::io::stdout().write_all(table.as_bytes())?;
    Ok(())
}

fn measure(
    worker: &std::path::Path,
    round_trips: u32,
    workers: u32,
    here: &[usize],
    there: &[usize],
) -> anyhow::Result<Cost> {
    pin::this_thread(here)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let launch = Launch::new(&[worker.display().to_string()], Vec::new())?
            .with_variable(PROTOCOL_ENV, "1")
            .with_variable(CONFORMANCE_ENV, "1");
        let spec = WorkerSpec {
            launch: Arc::new(launch),
            welcome_config: JsonBytes::NONE,
            log_level: LogLevel::Info,
            transcribe: TranscriptPolicy::Failed,
        };
        let pool = PoolConfig {
            min_workers: workers as usize,
            max_workers: workers as usize,
            ..PoolConfig::default()
        };
        let driver = Arc::new(Driver::default());
        let executor = Executor::start(
            ExecutorOptions { pool, spec, orphaned_workers: None },
            Arc::clone(&driver) as Arc<dyn ExecutorObserver>,
        )?;
        let handle = executor.handle();
        driver.handle.set(handle.clone()).map_err(|_| anyhow::anyhow!("started twice"))?;
        let pids = ready(&handle, workers as usize).await?;
        for pid in &pids {
            pin::process(Pid::from_raw(*pid as i32), there)?;
        }
        // A round to warm up, then the one that counts.
        driver.run(&handle, round_trips / 10, workers).await;
        let cpu_before = ping_pong::cpu_time() + workers_cpu(&pids);
        let started = Instant::now();
        driver.run(&handle, round_trips, workers).await;
        let wall = started.elapsed() / round_trips;
        let cpu = (ping_pong::cpu_time() + workers_cpu(&pids) - cpu_before) / round_trips;
        handle.drain(Duration::ZERO);
        executor.ended().await;
        anyhow::ensure!(driver.failed.load(Ordering::Relaxed) == 0, "some executions failed");
        Ok(Cost { wall, cpu })
    })
}

async fn ready(handle: &ExecutorHandle, workers: usize) -> anyhow::Result<Vec<u32>> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let snapshot = handle.snapshot().await.ok_or_else(|| anyhow::anyhow!("the executor is gone"))?;
        let idle = snapshot.pool.workers.iter().filter(|worker| worker.state == "idle");
        let pids: Vec<u32> = idle.filter_map(|worker| worker.pid).collect();
        if pids.len() == workers {
            return Ok(pids);
        }
        anyhow::ensure!(Instant::now() < deadline, "the workers did not become ready: {snapshot:?}");
        tokio::task::yield_now().await;
    }
}

fn workers_cpu(pids: &[u32]) -> Duration {
    let times = pids.iter().map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(')').map_or(String::new(), |(_, rest)| rest.to_owned());
        let ticks: u64 =
            rest.split_ascii_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
        Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
    });
    times.sum()
}

/// Submits the next execution when one ends, as many at once as there are workers.
#[derive(Default)]
struct Driver {
    handle: std::sync::OnceLock<ExecutorHandle>,
    left: AtomicU32,
    open: AtomicU32,
    failed: AtomicU32,
    done: Notify,
}

impl Driver {
    async fn run(&self, handle: &ExecutorHandle, round_trips: u32, workers: u32) {
        let first = workers.min(round_trips);
        self.left.store(round_trips - first, Ordering::Relaxed);
        self.open.store(round_trips, Ordering::Relaxed);
        for _ in 0..first {
            handle.submit(order());
        }
        self.done.notified().await;
    }
}

fn order() -> RunSpec {
    static NEXT_ID: AtomicU32 = AtomicU32::new(1);
    RunSpec {
        attempt: Attempt::new(Uuid::from_u128(NEXT_ID.fetch_add(1, Ordering::Relaxed).into()), 1),
        timeout: Some(Duration::from_secs(300)),
        workflow: "conformance.echo".to_owned(),
        source: CodeSource::Named,
        params: JsonBytes(b"{}".to_vec()),
        context: JsonBytes::NONE,
        organization_id: None,
        config: Arc::new(RunConfig::new()),
        secrets: Arc::default(),
        halts: false,
    }
}

impl ExecutorObserver for Driver {
    fn finished(&self, completed: CompletedRun, _: Option<RunRecording>) {
        if !matches!(completed.ending, RunEnding::Succeeded { .. }) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        if self.left.load(Ordering::Relaxed) > 0 {
            self.left.fetch_sub(1, Ordering::Relaxed);
            if let Some(handle) = self.handle.get() {
                handle.submit(order());
            }
        }
        if self.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
    }

    fn started(&self, _: Attempt, _: WorkerId, _: i64) {}
    fn logged(&self, _: Attempt, _: &[LogLine]) {}
    fn progressed(&self, _: Attempt, _: &RunProgress) {}
    fn changed(&self, _: Attempt, _: &Change) {}
    fn start_failed(&self, _: u32, _: &str, _: Duration) {}
    fn starts_recovered(&self) {}
    fn read_state(&self, _: Option<Uuid>, _: String) -> BoxFuture<'static, Result<Option<String>, String>> {
        async { Ok(None) }.boxed()
    }
}
