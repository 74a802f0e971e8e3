//! A stand-in for the supervisor: it submits and cancels through the store, and notes what it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster_core::execution::{ExecutionRequest, Status};
use muster_core::fleet::SupervisorRecord;
use muster_store::{CancelResult, NewExecution, Store, Submitted};
use uuid::Uuid;

use crate::api::{
    self, ApiService, DeadLetterAction, DeadLettersMovedView, DeadLettersView, ExplanationView, FleetView,
    HistorySpan, HistoryView, ManyView, PlanView, PoolView, PruneWish, PrunedView, Readiness, ReadinessPart,
    ReasonKind, ReasonView, RecycleTarget, ReportView, SelectionRequest, ServiceError, SubmitAnswer, Verdict,
    WorkflowsView, pause_view,
};
use crate::definitions::{DefinitionWish, edit, rotate};
use crate::secret_keys::SecretKeys;

/// The stand-in for a supervisor.
#[derive(Debug)]
pub(super) struct FakeService {
    pub(super) store: Arc<dyn Store>,
    pub(super) commands: Mutex<Vec<String>>,
}

impl FakeService {
    fn note(&self, command: String) -> Result<(), ServiceError> {
        self.commands.lock().unwrap().push(command);
        Ok(())
    }
}

#[async_trait]
impl ApiService for FakeService {
    fn who(&self) -> SupervisorRecord {
        SupervisorRecord {
            id: Uuid::nil(),
            host: "here".to_owned(),
            process_id: 1,
            data_dir: "/var/lib/muster".to_owned(),
            http_address: None,
            started_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn workflows(&self) -> WorkflowsView {
        WorkflowsView::default()
    }

    async fn edit_definitions(
        &self,
        wish: DefinitionWish,
        who: &str,
        dry_run: bool,
    ) -> Result<PlanView, ServiceError> {
        Ok(edit(&*self.store, &SecretKeys::default(), &wish, who, dry_run).await?)
    }

    async fn rotate_secrets(&self, who: &str) -> Result<PlanView, ServiceError> {
        Ok(rotate(&*self.store, &SecretKeys::default(), who).await?)
    }

    async fn prune(&self, _wish: PruneWish) -> Result<PrunedView, ServiceError> {
        Err(ServiceError::Invalid("nothing is kept here".to_owned()))
    }

    async fn run_schedule(&self, name: &str) -> Result<SubmitAnswer, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no schedule {name}")))
    }

    async fn submit(&self, request: ExecutionRequest) -> Result<SubmitAnswer, ServiceError> {
        let rows = [NewExecution::of(&request, 3)];
        let paused_by: Vec<_> = self.store.pauses_keeping(&rows[0]).iter().map(pause_view).collect();
        let answer = |execution_id, status, existing| SubmitAnswer {
            execution_id,
            status,
            existing,
            paused_by: paused_by.clone(),
        };
        let own = |status| answer(request.execution_id, status, false);
        Ok(match self.store.submit(&rows).await?.remove(0) {
            Submitted::Inserted => own(Status::Pending),
            Submitted::Exists(status) => own(status),
            Submitted::Existing { id, status } => answer(id, status, true),
            Submitted::KeyReused { id } => return Err(ServiceError::KeyReused(id)),
            Submitted::LimitReached { limit, holder } => {
                return Err(ServiceError::LimitReached { limit, holder });
            }
            Submitted::Refused(reason) => return Err(ServiceError::Invalid(reason)),
        })
    }

    async fn submit_many(&self, requests: Vec<ExecutionRequest>) -> Vec<Result<SubmitAnswer, ServiceError>> {
        let mut answers = Vec::new();
        for request in requests {
            answers.push(self.submit(request).await);
        }
        answers
    }

    async fn explain(&self, id: Uuid, _: bool) -> Result<Option<ExplanationView>, ServiceError> {
        let record = self.store.execution(id).await?;
        Ok(record.map(|record| ExplanationView {
            execution_id: id,
            status: record.status,
            reasons: vec![ReasonView {
                kind: ReasonKind::Due,
                is_blocking: false,
                message: "it is due".to_owned(),
            }],
        }))
    }

    async fn cancel(&self, id: Uuid) -> Result<CancelResult, ServiceError> {
        Ok(self.store.request_cancel(id).await?)
    }

    async fn cancel_many(&self, selection: &SelectionRequest) -> Result<ManyView, ServiceError> {
        self.note(format!("cancel {selection:?}"))?;
        Ok(ManyView::default())
    }

    async fn retry_many(&self, selection: &SelectionRequest) -> Result<ManyView, ServiceError> {
        self.note(format!("retry {selection:?}"))?;
        Ok(ManyView::default())
    }

    async fn retry(&self, id: Uuid, _: Uuid) -> Result<SubmitAnswer, ServiceError> {
        Err(ServiceError::Conflict(format!("execution {id} is RUNNING")))
    }

    async fn fleet(&self) -> Result<FleetView, ServiceError> {
        Ok(FleetView::default())
    }

    async fn report(&self) -> Result<ReportView, ServiceError> {
        Ok(ReportView { verdict: Verdict::Healthy, sections: Vec::new() })
    }

    async fn history(&self, span: HistorySpan) -> Result<HistoryView, ServiceError> {
        Ok(HistoryView { span, step_seconds: 60, steps: Vec::new() })
    }

    async fn dead_letters(&self, queue: Option<String>, _: usize) -> Result<DeadLettersView, ServiceError> {
        Ok(DeadLettersView { queue: queue.unwrap_or_default(), letters: Vec::new() })
    }

    async fn move_dead_letters(
        &self,
        _: Option<String>,
        _: DeadLetterAction,
    ) -> Result<DeadLettersMovedView, ServiceError> {
        Ok(DeadLettersMovedView::default())
    }

    async fn pool(&self) -> PoolView {
        api::tests::pool()
    }

    async fn resize(&self, min_workers: usize, max_workers: usize) -> Result<(), ServiceError> {
        self.note(format!("resize {min_workers} {max_workers}"))
    }

    async fn recycle(&self, target: RecycleTarget) -> Result<(), ServiceError> {
        self.note(format!("recycle {target:?}"))
    }

    async fn reload(&self) -> Result<(), ServiceError> {
        self.note("reload".to_owned())
    }

    async fn readiness(&self) -> Readiness {
        Readiness::of(vec![ReadinessPart {
            part: "workers".into(),
            ready: false,
            detail: "none can start".into(),
        }])
    }

    fn liveness(&self) -> Result<(), String> {
        Ok(())
    }

    async fn transcript(&self, _: Uuid, _: Option<u32>) -> Result<Option<String>, ServiceError> {
        Ok(None)
    }

    async fn metrics(&self) -> String {
        "# TYPE muster_things counter\nmuster_things_total 1\n# EOF\n".to_owned()
    }

    fn answered(&self, _: &str, _: Option<&str>, _: u16, _: Duration) {}
}
