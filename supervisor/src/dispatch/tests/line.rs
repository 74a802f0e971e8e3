//! Dispatch, finalize and notify, wired as the service wires them, between a fake executor and a store in memory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::{Bus, BusEvent, ChannelSubscription};
use muster_core::execution::{Attempt, ExecutionRequest, Status};
use muster_store::{
    ClaimStore as _, Claimant, Durability, ExecutionRecord, ExecutionStore as _, NewExecution,
    QueueStore as _, SchemaStore as _, ServedQueues, SqliteStore, TakeOver,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dispatch::{
    AfterFailure, DispatchParts, Dispatcher, InFlight, Prepare, PrepareError, PreparedAttempt, Preparer,
    Slots, StartHealth, WiredDispatch,
};
use crate::executor::FakeExecutor;
use crate::finalize::{Admission, FinalizedSink, Finalizer};
use crate::notify::Notifier;
use crate::observe::SupervisorMetrics;

const WITHIN: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_millis(600);

/// What differs from line to line.
#[derive(Debug)]
pub(crate) struct LineOptions {
    pub(crate) slots: usize,
    pub(crate) after_failure: AfterFailure,
    /// The one that reads the store, unless a test brings its own.
    pub(crate) preparer: Option<Arc<dyn Prepare>>,
}

impl Default for LineOptions {
    fn default() -> Self {
        Self { slots: 4, after_failure: AfterFailure::GoOn, preparer: None }
    }
}

/// A supervisor's middle, without its ends.
#[derive(Debug)]
pub(crate) struct TestLine {
    pub(crate) claimant: Claimant,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) bus: Bus,
    pub(crate) slots: Arc<Slots>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) executor: FakeExecutor,
    pub(crate) health: Arc<StartHealth>,
    pub(crate) notifier: Arc<Notifier>,
    folder: tempfile::TempDir,
}

impl TestLine {
    pub(crate) async fn start() -> Self {
        Self::with(LineOptions::default()).await
    }

    pub(crate) async fn with(options: LineOptions) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let store = SqliteStore::open(&folder.path().join("muster.db"), Durability::Normal).await.unwrap();
        store.migrate().await.unwrap();
        let (store, bus) = (Arc::new(store), Bus::in_process("test"));
        let claimant = Claimant::new(LEASE, ServedQueues::of(["q"]));
        let (in_flight, slots) = (Arc::new(InFlight::default()), Slots::new(options.slots));
        let metrics = Arc::new(SupervisorMetrics::new());
        let notifier = Notifier::start(
            store.clone(),
            bus.clone(),
            Arc::clone(&in_flight),
            Arc::clone(&slots),
            Arc::clone(&metrics),
        );
        let (sink, admission) =
            (Arc::clone(&notifier) as Arc<dyn FinalizedSink>, Arc::clone(&slots) as Arc<dyn Admission>);
        let finalizer = Finalizer::start(store.clone(), sink, admission, None).unwrap();
        let (executor, handle, events) = FakeExecutor::start();
        let preparer = options.preparer.unwrap_or_else(|| {
            Preparer::new(store.clone(), bus.clone(), Duration::from_secs(60), Arc::default(), None)
        });
        let dispatch = DispatchParts {
            claimant: claimant.clone(),
            state: store.clone(),
            bus: bus.clone(),
            in_flight: Arc::clone(&in_flight),
            slots: Arc::clone(&slots),
            preparer,
            finalizer,
            metrics,
            after_failure: options.after_failure,
            transcripts: None,
            shares_store: false,
        };
        let WiredDispatch { dispatcher, health, .. } = dispatch.wire(handle, events);
        Self { claimant, store, bus, slots, in_flight, dispatcher, executor, health, notifier, folder }
    }

    /// Leaves a PENDING row.
    pub(crate) async fn submit(&self, more: &Value) -> Uuid {
        let new = request(more);
        let id = new.id;
        self.store.submit(&[Arc::unwrap_or_clone(new)]).await.unwrap();
        id
    }

    /// Submits an execution, claims it and hands it to the dispatcher, as a poll does.
    pub(crate) async fn accept(&self, more: &Value) -> Attempt {
        let id = self.submit(more).await;
        let reservation = self.slots.reserve(1).await;
        let due = self.store.claim_due(&self.claimant, 1, TakeOver::Nothing).await.unwrap();
        let attempt = due.claimed[0].attempt;
        assert_eq!(attempt.execution_id, id);
        self.dispatcher.accept(due.claimed, reservation);
        attempt
    }

    pub(crate) async fn row(&self, id: Uuid) -> ExecutionRecord {
        self.store.execution(id).await.unwrap().expect("there is a row")
    }

    /// Waits until the row is so.
    pub(crate) async fn row_becomes(&self, id: Uuid, status: Status) -> ExecutionRecord {
        eventually("the row gets its status", async || self.row(id).await.status == status).await;
        self.row(id).await
    }

    /// Statements from outside, as somebody with a database client would send them.
    pub(crate) async fn sql(&self, statements: &'static str) {
        use sqlx::ConnectOptions as _;
        let file = self.folder.path().join("muster.db");
        let mut client = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        sqlx::raw_sql(statements).execute(&mut client).await.unwrap();
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let turned = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(WITHIN, turned).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The next message of the bus.
pub(crate) async fn heard(watching: &mut ChannelSubscription) -> Value {
    match tokio::time::timeout(WITHIN, watching.next()).await.expect("nothing is told") {
        BusEvent::Message { data, .. } => serde_json::from_slice(&data).unwrap(),
        BusEvent::Gap => panic!("a gap"),
    }
}

/// A request of a workflow that the worker looks up by its name, with more fields.
pub(crate) fn request(more: &Value) -> Arc<NewExecution> {
    let mut fields = json!({ "execution_id": Uuid::now_v7(), "workflow": "w" });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Arc::new(NewExecution::of(&ExecutionRequest::parse(fields.to_string().as_bytes()).unwrap(), 3))
}

/// Prepares nothing, and says so.
#[derive(Debug)]
pub(crate) struct PrepareRefused(pub(crate) PrepareError);

#[async_trait]
impl Prepare for PrepareRefused {
    async fn prepare(&self, _: Attempt, _: &NewExecution) -> Result<PreparedAttempt, PrepareError> {
        Err(self.0.clone())
    }
}
