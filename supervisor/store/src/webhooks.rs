//! Webhooks: who is told what executions came to. That somebody is to be told is written in the transaction that ends the
//! execution, so that no crash loses it; the telling itself is done elsewhere, by whoever takes it.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Result;

/// A receiver, as its row has it.
#[derive(Clone, Debug)]
pub struct WebhookRecord {
    /// The id of the webhook.
    pub id: Uuid,
    /// The name of the webhook; no other has it.
    pub name: String,
    /// The address that is told.
    pub url: String,
    /// What executions it is told of, by status, a JSON list; `None`: of all.
    pub events: Option<Box<RawValue>>,
    /// What workflows it is told of, by name, a JSON list; `None`: of all.
    pub workflows: Option<Box<RawValue>>,
    /// It is told nothing.
    pub is_paused: bool,
}

/// A delivery that somebody has taken to try it.
#[derive(Clone, Debug)]
pub struct TakenDelivery {
    /// The execution that ended.
    pub execution_id: Uuid,
    /// The webhook that is told.
    pub webhook_id: Uuid,
    /// The name of the webhook.
    pub webhook: String,
    /// The address.
    pub url: String,
    /// What the execution came to.
    pub event: String,
    /// The number of this try; the first is 1.
    pub attempts: u32,
}

/// What a try came to.
#[derive(Clone, Debug)]
pub struct DeliveryTry {
    /// The execution that ended.
    pub execution_id: Uuid,
    /// The webhook that is told.
    pub webhook_id: Uuid,
    /// The number of the try: what somebody else took meanwhile is theirs.
    pub attempts: u32,
    /// It was received.
    pub is_delivered: bool,
    /// When it is tried again; `None`: not any more.
    pub again_after: Option<Duration>,
    /// The status of the answer; `None` without one.
    pub status: Option<u16>,
    /// Why it was not received.
    pub error: Option<String>,
    /// The try for the history, a JSON object.
    pub note: Box<RawValue>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its next try.
    Pending,
    /// It was received.
    Delivered,
    /// It is not tried any more.
    Failed,
}

/// A delivery, as its row has it.
#[derive(Clone, Debug)]
pub struct DeliveryRecord {
    /// The execution that ended.
    pub execution_id: Uuid,
    /// The webhook that is told.
    pub webhook_id: Uuid,
    /// The name of the webhook.
    pub webhook: String,
    /// What the execution came to.
    pub event: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When the execution ended.
    pub created_at: Timestamp,
    /// When it is tried again.
    pub due_at: Option<Timestamp>,
    /// When it was received.
    pub delivered_at: Option<Timestamp>,
    /// The status of the last answer.
    pub last_status: Option<u32>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// The tries, a JSON list.
    pub history: Option<Box<RawValue>>,
    /// The address, where the request named it.
    pub url: Option<String>,
}

impl DeliveryRecord {
    /// Where it stands.
    pub fn state(&self) -> DeliveryState {
        match (self.delivered_at, self.due_at) {
            (Some(_), _) => DeliveryState::Delivered,
            (None, Some(_)) => DeliveryState::Pending,
            (None, None) => DeliveryState::Failed,
        }
    }
}

/// So many that requests asked for are taken at once.
pub(crate) const OF_REQUESTS_AT_ONCE: usize = 16;

/// A state as statements call it.
pub(crate) fn state_word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "pending",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Failed => "failed",
    }
}

/// The part of a transaction that is about webhooks.
pub(crate) trait WebhookSession: Send {
    /// Notes that those are told of these executions who are to be, once they are over.
    fn note_webhooks(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<()>> + Send;
}

/// The deliveries of all supervisors on a database.
#[async_trait]
pub trait WebhookStore: Debug + Send + Sync + 'static {
    /// Takes deliveries that are due for so long: at most so many of each webhook and in all, and none of these.
    async fn take_deliveries(
        &self,
        of_each: usize,
        in_all: usize,
        busy: &[Uuid],
        lease: Duration,
    ) -> Result<Vec<TakenDelivery>>;

    /// Notes what a try came to.
    async fn note_delivery(&self, tried: &DeliveryTry) -> Result<()>;

    /// The newest deliveries of a webhook or of all, so many at most; those in this state only, if one is named.
    async fn deliveries(
        &self,
        webhook: Option<&str>,
        state: Option<DeliveryState>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>>;

    /// Tries a delivery anew, from the first try on, and gives it; `None`: there is none.
    async fn retry_delivery(&self, webhook: &str, execution_id: Uuid) -> Result<Option<DeliveryRecord>>;
}
