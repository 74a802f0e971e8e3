//! What a supervisor does for who asks.

use std::time::Duration;

use async_trait::async_trait;
use muster_core::execution::ExecutionRequest;
use muster_core::fleet::SupervisorRecord;
use muster_core::pool::WorkerId;
use muster_store::{CancelResult, StoreError};
use uuid::Uuid;

use super::{
    DeadLetterAction, DeadLettersMovedView, DeadLettersView, ExplanationView, FleetView, HistorySpan,
    HistoryView, ManyView, PlanView, PoolView, PruneWish, PrunedView, Readiness, ReportView,
    SelectionRequest, SubmitAnswer, WorkflowsView,
};
use crate::definitions::{DefinitionWish, EditError, ProblemKind};

/// The supervisor, as a client sees it.
#[async_trait]
pub trait ApiService: std::fmt::Debug + Send + Sync + 'static {
    /// Which process this supervisor is.
    fn who(&self) -> SupervisorRecord;

    /// Commits a PENDING row and wakes whoever may run it, unless its id or its idempotency key is known.
    async fn submit(&self, request: ExecutionRequest) -> Result<SubmitAnswer, ServiceError>;

    /// Encrypts every secret with the current key.
    async fn rotate_secrets(&self, who: &str) -> Result<PlanView, ServiceError>;

    /// The same for many, in order, so many in one transaction. One that is refused changes nothing for the others.
    async fn submit_many(&self, requests: Vec<ExecutionRequest>) -> Vec<Result<SubmitAnswer, ServiceError>>;

    /// Forgets executions that ended long ago: as many as go in a moment.
    async fn prune(&self, wish: PruneWish) -> Result<PrunedView, ServiceError>;

    /// Runs a schedule's workflow now, beside its ticks; answers as `submit` does.
    async fn run_schedule(&self, name: &str) -> Result<SubmitAnswer, ServiceError>;

    /// Cancels what waits, asks the owner of what runs, and tells watchers.
    async fn cancel(&self, id: Uuid) -> Result<CancelResult, ServiceError>;

    /// Submits the execution `new` with the request of this one; answers as `submit` does.
    async fn retry(&self, id: Uuid, new: Uuid) -> Result<SubmitAnswer, ServiceError>;

    /// Cancels some of the executions that are meant, or only counts them, from the newest on.
    async fn cancel_many(&self, selection: &SelectionRequest) -> Result<ManyView, ServiceError>;

    /// Submits each of some of the executions that are meant again, or only counts them. Each is submitted again once,
    /// however often this is asked.
    async fn retry_many(&self, selection: &SelectionRequest) -> Result<ManyView, ServiceError>;

    /// Why an execution is where it is; `None` when there is none of this id. Which others it waits for is named to those who
    /// may see them.
    async fn explain(&self, id: Uuid, names_others: bool) -> Result<Option<ExplanationView>, ServiceError>;

    /// What the workers described of their workflows.
    fn workflows(&self) -> WorkflowsView;

    /// Changes what is defined, all or nothing; or only tells what would change.
    async fn edit_definitions(
        &self,
        wish: DefinitionWish,
        who: &str,
        dry_run: bool,
    ) -> Result<PlanView, ServiceError>;

    /// Every supervisor on the database, as each says of itself.
    async fn fleet(&self) -> Result<FleetView, ServiceError>;

    /// How the fleet is, and what to do next.
    async fn report(&self) -> Result<ReportView, ServiceError>;

    /// What was, in steps.
    async fn history(&self, span: HistorySpan) -> Result<HistoryView, ServiceError>;

    /// The oldest dead letters of a queue.
    async fn dead_letters(
        &self,
        queue: Option<String>,
        limit: usize,
    ) -> Result<DeadLettersView, ServiceError>;

    /// Puts dead letters of a queue back into it, or throws them away.
    async fn move_dead_letters(
        &self,
        queue: Option<String>,
        action: DeadLetterAction,
    ) -> Result<DeadLettersMovedView, ServiceError>;

    /// Tells what the pool is doing.
    async fn pool(&self) -> PoolView;

    /// New bounds of the pool. They are checked: 1 <= min <= max <= 10000.
    async fn resize(&self, min_workers: usize, max_workers: usize) -> Result<(), ServiceError>;

    /// Replaces workers, each after the run it has.
    async fn recycle(&self, target: RecycleTarget) -> Result<(), ServiceError>;

    /// Reads the settings again and rolls the workers.
    async fn reload(&self) -> Result<(), ServiceError>;

    /// Whether work can be taken, part by part.
    async fn readiness(&self) -> Readiness;

    /// Whether the loops that must turn have turned lately; else what stands still.
    fn liveness(&self) -> Result<(), String>;

    /// The transcript of an attempt, or of the latest that has one, if this supervisor keeps it.
    async fn transcript(&self, id: Uuid, attempt: Option<u32>) -> Result<Option<String>, ServiceError>;

    /// The metrics in the text format of Prometheus (OpenMetrics).
    async fn metrics(&self) -> String;

    /// A request was answered with this status: at the path of an endpoint, or at none, after so long.
    fn answered(&self, method: &str, route: Option<&str>, status: u16, took: Duration);
}

/// Which workers are to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecycleTarget {
    /// Only this worker is replaced.
    Worker(WorkerId),
    /// Every worker that exists now is replaced.
    All,
}

/// Why the supervisor did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The code does not take these parameters.
    #[error("workflow {workflow:?}: {}", problems.join("; "))]
    InvalidParameters {
        /// The workflow whose code was asked.
        workflow: String,
        /// All that is wrong with them, a sentence each.
        problems: Vec<String>,
    },
    /// What is to be defined cannot be so.
    #[error("{}", problems.join("; "))]
    InvalidDefinitions {
        /// All that is wrong with it, a sentence each that begins with its place.
        problems: Vec<String>,
    },
    /// The idempotency key of a submit belongs to another execution.
    #[error(
        "idempotency_key: it belongs to execution {0}, which has another workflow or other parameters; give another key"
    )]
    KeyReused(Uuid),
    /// The id of a submit belongs to another execution.
    #[error(
        "execution_id: {0} belongs to an execution of another workflow or with other parameters; give another id, or none"
    )]
    IdTaken(Uuid),
    /// A limit that lets nobody wait is full.
    #[error("limit {limit:?} is full{}", .holder.map(|id| format!(": execution {id} is in it")).unwrap_or_default())]
    LimitReached {
        /// The name of the limit.
        limit: String,
        /// One that is in it; `None` when it lets nobody in.
        holder: Option<Uuid>,
    },
    /// It cannot be done in this state.
    #[error("{0}")]
    Conflict(String),
    /// The service cannot do it right now, and says why.
    #[error("{0}")]
    Unavailable(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EditError> for ServiceError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Store(error) => Self::Store(error),
            EditError::Contended => Self::Unavailable(error.to_string()),
            EditError::Keys(error) => Self::Conflict(error.to_string()),
            EditError::Problems(problems) => {
                let is_missing = problems.iter().all(|problem| problem.kind == ProblemKind::NotFound);
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                if is_missing {
                    Self::NotFound(problems.join("; "))
                } else {
                    Self::InvalidDefinitions { problems }
                }
            }
        }
    }
}
