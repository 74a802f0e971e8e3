//! A stand-in for the supervisor: it submits and cancels through the store, and notes what it is told.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use uuid::Uuid;

use crate::execution::{Request, Status};
use crate::http::view::{self, Part, PoolView, Readiness};
use crate::http::{RecycleTarget, Service, ServiceError};
use crate::store::{CancelAnswer, NewExecution, Store, Submitted};

/// The stand-in for a supervisor.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) store: Arc<dyn Store>,
    pub(super) commands: Mutex<Vec<String>>,
}

impl Stand {
    fn note(&self, command: String) -> Result<(), ServiceError> {
        self.commands.lock().unwrap().push(command);
        Ok(())
    }
}

#[async_trait]
impl Service for Stand {
    async fn submit(&self, request: Request) -> Result<Status, ServiceError> {
        let rows = [NewExecution::of(&request, 3)];
        Ok(match self.store.submit(&rows).await?.remove(0) {
            Submitted::Inserted => Status::Pending,
            Submitted::Exists(status) => status,
            Submitted::Refused(reason) => return Err(ServiceError::Invalid(reason)),
        })
    }

    async fn cancel(&self, id: Uuid) -> Result<CancelAnswer, ServiceError> {
        Ok(self.store.request_cancel(id).await?)
    }

    async fn retry(&self, id: Uuid) -> Result<Uuid, ServiceError> {
        Err(ServiceError::Conflict(format!("execution {id} is RUNNING")))
    }

    async fn pool(&self) -> PoolView {
        view::tests::pool()
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
        Readiness::of(vec![Part { part: "workers".into(), ready: false, detail: "none can start".into() }])
    }

    fn liveness(&self) -> Result<(), String> {
        Ok(())
    }

    async fn transcript(&self, _: Uuid, _: Option<u32>) -> Result<Option<String>, ServiceError> {
        Ok(None)
    }

    async fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}
