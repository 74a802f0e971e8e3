//! Rows in memory with slots, and a queue of a scenario's own on a real broker.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::Bus;
use muster_core::execution::Status;
use muster_store::{ExecutionFailure, NewExecution, Result, StoreError, Submitted};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::rows::IntakeRows;
use super::super::test_broker::TestBroker;
use crate::rabbitmq::{
    BrokerHealth, DeadLetter, DeadLetters, IntakeOptions, QueuePublisher, RabbitIntake, inspect,
};
use crate::{ClaimAnswer, Claims};

pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// Rows in memory, slots, and a switch that makes the store go away.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) rows: Mutex<HashMap<Uuid, (Status, Option<String>)>>,
    pub(super) runs: AtomicUsize,
    pub(super) claims: AtomicUsize,
    pub(super) slots: Arc<Semaphore>,
    pub(super) keep_slots: AtomicBool,
    pub(super) away: AtomicBool,
}

impl Board {
    pub(super) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self {
            rows: Mutex::default(),
            runs: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            slots: Arc::new(Semaphore::new(slots)),
            keep_slots: AtomicBool::new(false),
            away: AtomicBool::new(false),
        })
    }

    pub(super) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    pub(super) fn count(&self, status: Status) -> usize {
        self.rows.lock().unwrap().values().filter(|(found, _)| *found == status).count()
    }

    pub(super) fn failure(&self, id: Uuid) -> Option<String> {
        self.rows.lock().unwrap().get(&id).and_then(|(_, failure)| failure.clone())
    }

    pub(super) fn reachable(&self) -> Result<()> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unreachable { backend: "test", message: "away".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl Claims for Board {
    type IntakeReservation = OwnedSemaphorePermit;

    async fn reserve(self: Arc<Self>, most: usize) -> OwnedSemaphorePermit {
        let mut permit = Arc::clone(&self.slots).acquire_owned().await.unwrap();
        while permit.num_permits() < most
            && let Ok(another) = Arc::clone(&self.slots).try_acquire_owned()
        {
            permit.merge(another);
        }
        permit
    }

    fn keep(reservation: &mut OwnedSemaphorePermit, most: usize) {
        drop(reservation.split(reservation.num_permits().saturating_sub(most)));
    }

    fn count(reservation: &OwnedSemaphorePermit) -> usize {
        reservation.num_permits()
    }

    async fn claim(
        &self,
        executions: Vec<Arc<NewExecution>>,
        reservation: OwnedSemaphorePermit,
    ) -> Result<Vec<ClaimAnswer>> {
        self.reachable()?;
        assert!(executions.len() <= reservation.num_permits(), "claimed more than was reserved");
        self.claims.fetch_add(1, Ordering::SeqCst);
        if self.keep_slots.load(Ordering::SeqCst) {
            reservation.forget();
        }
        let mut rows = self.rows.lock().unwrap();
        let answers = executions.iter().map(|execution| {
            if execution.request.get().contains("refuse me") {
                return ClaimAnswer::Refused("the database says no".to_owned());
            }
            match rows.get(&execution.id) {
                None | Some((Status::Pending, _)) => {
                    rows.insert(execution.id, (Status::Running, None));
                    self.runs.fetch_add(1, Ordering::SeqCst);
                    ClaimAnswer::Taken
                }
                Some((status, _)) => ClaimAnswer::Elsewhere(*status),
            }
        });
        Ok(answers.collect())
    }
}

#[async_trait]
impl IntakeRows for Board {
    async fn known(&self, id: Uuid) -> Result<Option<NewExecution>> {
        self.reachable()?;
        let known = self.rows.lock().unwrap().contains_key(&id);
        Ok(known.then(|| {
            let request = format!(r#"{{"execution_id":"{id}","workflow":"w"}}"#);
            NewExecution::of(&muster_core::execution::ExecutionRequest::parse(request.as_bytes()).unwrap(), 3)
        }))
    }

    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
        self.reachable()?;
        let mut rows = self.rows.lock().unwrap();
        let insert = |execution: &NewExecution| {
            rows.entry(execution.id).or_insert((Status::Pending, None));
            Submitted::Inserted
        };
        Ok(executions.iter().map(insert).collect())
    }

    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure, _sync: bool) -> Result<()> {
        self.reachable()?;
        let failed = (Status::Failed, Some(failure.error_type.clone()));
        self.rows.lock().unwrap().entry(id).or_insert(failed);
        Ok(())
    }

    fn reply_with(self: Arc<Self>, _: Uuid, _: Uuid) {}
}

/// One queue with its consumer.
pub(super) struct Scene {
    pub(super) url: String,
    pub(super) queue: String,
    pub(super) board: Arc<Board>,
    pub(super) bus: Bus,
    pub(super) publisher: QueuePublisher,
}

impl Scene {
    pub(super) fn new(broker: &TestBroker, queue: &str, slots: usize) -> Self {
        Self {
            url: broker.url(),
            queue: queue.to_owned(),
            board: Board::new(slots),
            bus: Bus::in_process("test"),
            publisher: QueuePublisher::new(&broker.url(), queue).unwrap(),
        }
    }

    pub(super) fn consume(&self) -> RabbitIntake {
        let options = IntakeOptions {
            broker: (&self.url).into(),
            queue: self.queue.clone(),
            default_max_attempts: 3,
            idempotency: std::time::Duration::from_secs(60),
        };
        let rows = Arc::clone(&self.board) as Arc<dyn IntakeRows>;
        RabbitIntake::start_on(&options, Arc::clone(&self.board), rows, self.bus.clone()).unwrap()
    }

    pub(super) async fn publish(&self, count: usize) -> Vec<Uuid> {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        let bodies: Vec<Vec<u8>> = ids.iter().map(|id| whole(*id)).collect();
        self.publisher.publish(&bodies).await.unwrap();
        ids
    }

    pub(super) async fn queue_is_empty(&self) {
        eventually("the queue is empty", async || {
            inspect(&self.url, &self.queue).await.is_ok_and(|found| found.messages == 0)
        })
        .await;
    }

    pub(super) async fn dead(&self) -> Vec<DeadLetter> {
        DeadLetters::open(&self.url, &self.queue).await.unwrap().list(100).await.unwrap()
    }
}

pub(super) fn whole(id: Uuid) -> Vec<u8> {
    json!({"execution_id": id, "workflow": "w", "parameters": {"n": 1}}).to_string().into_bytes()
}

pub(super) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) async fn healthy(intake: &RabbitIntake, condition: impl FnMut(&BrokerHealth) -> bool) {
    let mut health = intake.health();
    tokio::time::timeout(LIMIT, health.wait_for(condition)).await.expect("in time").unwrap();
}
