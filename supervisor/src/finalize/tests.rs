//! Room for what executions may leave, on a real file of a disk that has too little.
//!
//! The disk is the memory of the system and its end a limit on the size of files, which only there holds for
//! space that is set aside too. The limit is the whole process', and far above what any other test writes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_core::execution::Attempt;
use muster_store::{Disposition, Durability, Finalization, SchemaStore as _, SqliteStore};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::disk_reserve::SLOT_BYTES;
use super::{Admission, Finalized, FinalizedSink, Finalizer, OutcomeOutbox, SpillFiles};

/// So many slots have room, and twice as many have not.
const FIT: usize = 64;
const WITHIN: Duration = Duration::from_secs(30);

/// Shows how many slots there are, and whether there is room for them.
#[derive(Debug)]
struct AdmissionProbe {
    slots: watch::Sender<usize>,
    shut: watch::Sender<bool>,
}

impl AdmissionProbe {
    fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self { slots: watch::Sender::new(slots), shut: watch::Sender::new(false) })
    }

    async fn becomes_shut(&self, shut: bool) {
        let mut seen = self.shut.subscribe();
        let became = tokio::time::timeout(WITHIN, seen.wait_for(|it| *it == shut)).await;
        became.unwrap_or_else(|_| panic!("the admission never became shut: {shut}")).unwrap();
    }
}

impl Admission for AdmissionProbe {
    fn slots(&self) -> watch::Receiver<usize> {
        self.slots.subscribe()
    }

    fn inside(&self) -> usize {
        0
    }

    fn no_room(&self, no_room: bool) {
        self.shut.send_replace(no_room);
    }
}

#[async_trait]
impl FinalizedSink for AdmissionProbe {
    async fn finalized(&self, _group: Vec<Finalized>, _took: Duration) {}
    async fn store_unreachable(&self, _unreachable: bool) {}
}

fn memory_disk() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = folder.path().join("outbox");
    (folder, path)
}

async fn started(entrance: &Arc<AdmissionProbe>, path: &Path) -> Finalizer {
    let store = SqliteStore::open(&path.with_extension("db"), Durability::Normal).await.unwrap();
    store.migrate().await.unwrap();
    let files = SpillFiles::open(path.parent().unwrap(), 1 << 30).unwrap();
    let (sink, admission) =
        (Arc::clone(entrance) as Arc<dyn FinalizedSink>, Arc::clone(entrance) as Arc<dyn Admission>);
    let finalizer = Finalizer::start(Arc::new(store), sink, admission, Some(files)).unwrap();
    tokio::time::timeout(WITHIN, finalizer.replayed()).await.unwrap();
    finalizer
}

fn end(reason: String) -> Finalization {
    let release = Disposition::Release { reason, delay: Duration::ZERO, charged: false };
    Finalization::bare(Attempt::new(uuid::Uuid::now_v7(), 1), uuid::Uuid::now_v7(), release)
}

/// A refusal comes with a signal, which ends a process that does not hear it.
fn hear_refusals() -> Signal {
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).unwrap()
}

/// Files may have so many bytes from here on.
fn limit_files(bytes: u64) {
    let limit = Rlimit { current: Some(bytes), ..getrlimit(Resource::Fsize) };
    setrlimit(Resource::Fsize, limit).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_19_without_room_for_every_slot_nothing_is_let_in_until_there_is() {
    let _refusals = hear_refusals();
    limit_files((FIT as u64 + 1) * SLOT_BYTES);
    let (_folder, path) = memory_disk();
    let entrance = AdmissionProbe::new(2 * FIT);
    let _finalizer = started(&entrance, &path).await;
    assert!(*entrance.shut.borrow(), "before anything may be claimed");

    entrance.slots.send_replace(FIT);
    entrance.becomes_shut(false).await;
    assert!(path.metadata().unwrap().blocks() * 512 >= FIT as u64 * SLOT_BYTES, "set aside");
    entrance.slots.send_replace(2 * FIT);
    entrance.becomes_shut(true).await;
    limit_files((2 * FIT as u64 + 1) * SLOT_BYTES);
    entrance.becomes_shut(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_19_what_is_set_aside_outlives_the_emptying_of_the_file() {
    let (_folder, path) = memory_disk();
    OutcomeOutbox::open(&path, 1 << 20).unwrap().append(&[end(String::new())]).unwrap();
    let entrance = AdmissionProbe::new(2);
    let _finalizer = started(&entrance, &path).await;
    let file = path.metadata().unwrap();
    assert_eq!(file.len(), 8, "what an earlier process left is written");
    assert!(file.blocks() * 512 >= 2 * SLOT_BYTES, "{} blocks", file.blocks());
}

#[tokio::test]
async fn rule_19_an_end_that_is_too_large_takes_no_room_from_the_others() {
    let _refusals = hear_refusals();
    limit_files((FIT as u64 + 1) * SLOT_BYTES);
    let (_folder, path) = memory_disk();
    let mut outbox = OutcomeOutbox::open(&path, 1 << 30).unwrap();
    outbox.reserve(SLOT_BYTES).unwrap();
    let large = end("x".repeat((FIT + 2) * SLOT_BYTES as usize));
    outbox.append(&[large]).unwrap_err();
    assert!(path.metadata().unwrap().blocks() * 512 >= SLOT_BYTES, "still set aside");
    assert_eq!(path.metadata().unwrap().len(), 8, "and nothing of it is written");
}
