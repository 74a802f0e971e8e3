//! From the spawn of a worker to its Ready, at each level of confinement, side by side: the levels take turns, so that
//! what else the machine does weighs on all of them alike.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_protocol::codec::Decoded;
use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::wire::{Conversation, Incoming};
use muster_protocol::{LogLevel, ToSupervisor, ToWorker};
use muster_supervisor::executor::WorkerSpec;
use muster_supervisor::service::worker_spec;
use muster_supervisor::settings::{Settings, Sources};
use muster_system::process::{SpawnedChild, Spawner, WorkerLeaves, abandon};
use muster_system::temporary::TemporaryFolders;

const LEVELS: [&str; 3] = ["off", "scoped", "strict"];
/// Those that count least: files are read from the disk, and caches are filled.
const ROUNDS_ASIDE: usize = 5;

/// One way to start a worker, and how long each of its starts took.
struct StartWay {
    name: String,
    spec: WorkerSpec,
    spawner: Spawner,
    took: Vec<Duration>,
}

/// Measures every level, with and without control groups, and prints a table.
pub(crate) fn compare(starts: usize, worker: Option<PathBuf>) -> anyhow::Result<()> {
    let worker = match worker {
        Some(worker) => std::path::absolute(worker)?,
        None => std::env::current_exe()?.with_file_name("worker"),
    };
    let folder = tempfile::tempdir()?;
    let folders = TemporaryFolders::open()?;
    let leaves = WorkerLeaves::open(folder.path());
    let mut ways = Vec::new();
    for level in LEVELS {
        let spawner = Spawner::start()?;
        ways.push(StartWay {
            name: level.to_owned(),
            spec: spec(&worker, level, &folders)?,
            spawner,
            took: Vec::new(),
        });
    }
    let leaves = leaves.map(Arc::new);
    match &leaves {
        Ok(leaves) => {
            for level in LEVELS {
                let spawner = Spawner::with_leaves(Some(Arc::clone(leaves)))?;
                let (name, spec) = (format!("{level}, control group"), spec(&worker, level, &folders)?);
                ways.push(StartWay { name, spec, spawner, took: Vec::new() });
            }
        }
        Err(reason) => writeln!(std::io::stdout(), "without control groups: {reason}")?,
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for round in 0..ROUNDS_ASIDE + starts {
        for way in &mut ways {
            let began = Instant::now();
            let child = runtime.block_on(way.spawner.spawn(Arc::clone(&way.spec.launch)))?;
            let took = ready(child, &way.spec, began)?;
            if round >= ROUNDS_ASIDE {
                way.took.push(took);
            }
        }
    }
    if let Ok(leaves) = leaves {
        leaves.close();
    }
    report(ways)
}

fn report(ways: Vec<StartWay>) -> anyhow::Result<()> {
    let mut table = String::from(
        "confinement               p10 us   p50 us   p90 us   more than off, p10 us   and p50 us\n",
    );
    let mut off = None;
    for mut way in ways {
        way.took.sort();
        let at = |share: usize| way.took.get(way.took.len() * share / 100).copied().unwrap_or_default();
        let us = |time: Duration| time.as_nanos() as f64 / 1000.0;
        let first = *off.get_or_insert([at(10), at(50)]);
        table.push_str(&format!(
            "{:22}   {:7.0}   {:6.0}   {:6.0}   {:21.0}   {:10.0}\n",
            way.name,
            us(at(10)),
            us(at(50)),
            us(at(90)),
            us(at(10)) - us(first[0]),
            us(at(50)) - us(first[1]),
        ));
    }
    Ok(std::io::stdout().write_all(table.as_bytes())?)
}

/// What a worker of a supervisor is started with at this level, with the conformance workflows.
pub(crate) fn spec(
    worker: &Path,
    level: &str,
    folders: &Arc<TemporaryFolders>,
) -> anyhow::Result<WorkerSpec> {
    let environment = [
        ("MUSTER_CONFINEMENT", level.to_owned()),
        ("MUSTER_WORKER_COMMAND", shell_words::join([worker.to_string_lossy()])),
        ("MUSTER_WORKER_ENV", "MUSTER_CONFORMANCE=1".to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
    let settings = Settings::load(&Sources { environment, ..Sources::default() })?;
    let mut spec = worker_spec(&settings)?;
    spec.launch_in(folders);
    Ok(spec)
}

/// Speaks with it up to its Ready, and ends it.
fn ready(child: SpawnedChild, spec: &WorkerSpec, began: Instant) -> anyhow::Result<Duration> {
    let (mut stdin, mut stdout) = (File::from(child.stdin), File::from(child.stdout));
    let mut conversation = Conversation::default();
    let mut chunk = vec![0; 64 * 1024];
    let took = loop {
        match conversation.hear()? {
            Some(Incoming::Message(Decoded::Message(ToSupervisor::Hello { features, .. }))) => {
                let mut bytes = Vec::new();
                let welcome = ToWorker::Welcome {
                    protocol: 1,
                    worker_id: "bench".to_owned(),
                    features,
                    max_frame_bytes: u32::try_from(FRAME_MAX_BYTES)?,
                    log_level: LogLevel::Info,
                    config: spec.welcome_config.clone(),
                };
                conversation.say(&welcome, &mut bytes)?;
                stdin.write_all(&bytes)?;
            }
            Some(Incoming::Message(Decoded::Message(ToSupervisor::Ready { .. }))) => break began.elapsed(),
            Some(_) => {}
            None => {
                let count = stdout.read(&mut chunk)?;
                anyhow::ensure!(count > 0, "the worker ended before it was ready");
                conversation.read(&chunk[..count]);
            }
        }
    };
    abandon(child.group);
    child.family.leave();
    Ok(took)
}
