//! Tells webhooks what executions came to: every supervisor does, and each delivery is taken by one of them at a time.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_core::webhook::{
    DeliveryDecision, DeliverySlots, OF_EACH, OF_REQUESTS, ReceiverAnswer, after_try,
};
use muster_store::{DeliveryTry, StoreError, TakenDelivery};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::supervisor::Supervisor;
use crate::api::ApiService as _;
use crate::definitions::{DefinitionEdit, DefinitionWish};
use crate::webhooks::{Courier, KEY_PREFIX, WebhookKey, delivery_id, message, secret_of};

/// How often is looked for deliveries that are due, when none is under way.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a delivery is somebody's: longer than a receiver may take.
const LEASE: Duration = Duration::from_secs(60);

/// The signing keys, by webhook.
type WebhookKeys = HashMap<String, Arc<WebhookKey>>;

/// Delivers what is due, for ever.
pub(super) async fn deliver_for_ever(supervisor: Weak<Supervisor>, allow_private: bool) {
    let courier = Courier::new(allow_private);
    let mut under_way: JoinSet<(u64, bool)> = JoinSet::new();
    let (mut slots, begun) = (DeliverySlots::default(), Instant::now());
    let mut told = String::new();
    loop {
        let Some(here) = supervisor.upgrade() else { return };
        match here.take(slots.free(begun.elapsed()), &slots.busy()).await {
            Ok((taken, keys)) => {
                told.clear();
                for delivery in taken {
                    let number = slots.begin(delivery.webhook_id, begun.elapsed());
                    let deliver =
                        deliver(Weak::clone(&supervisor), courier.clone(), Arc::clone(&keys), delivery);
                    under_way.spawn(async move { (number, deliver.await) });
                }
            }
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    tracing::warn!(
                        error,
                        "deliveries of webhooks cannot be looked at; trying again every second"
                    );
                    told = error;
                }
            }
        }
        drop(here);
        tokio::select! {
            Some(Ok((number, is_answered))) = under_way.join_next() => slots.end(number, is_answered),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

impl Supervisor {
    /// Takes what is due, with the keys to sign it with.
    async fn take(
        &self,
        in_all: usize,
        busy: &[Uuid],
    ) -> Result<(Vec<TakenDelivery>, Arc<WebhookKeys>), StoreError> {
        if in_all == 0 {
            return Ok((Vec::new(), Arc::default()));
        }
        let taken = self.store.take_deliveries(OF_EACH, in_all, busy, LEASE).await?;
        let keys = if taken.is_empty() { WebhookKeys::new() } else { self.webhook_keys().await? };
        Ok((taken, Arc::new(keys)))
    }

    /// The signing keys, as far as they can be read.
    async fn webhook_keys(&self) -> Result<WebhookKeys, StoreError> {
        let mut keys = WebhookKeys::new();
        for entry in self.store.config(None).await? {
            let Some(webhook) = entry.key.strip_prefix(KEY_PREFIX).filter(|_| entry.is_secret) else {
                continue;
            };
            let value = match entry.key_id.as_deref() {
                Some(key_id) => {
                    self.secret_keys.open(entry.organization_id, &entry.key, key_id, &entry.value)
                }
                None => Ok(entry.value.clone()),
            };
            let text = value.ok().and_then(|value| serde_json::from_str::<String>(value.get()).ok());
            if let Some(key) = text.and_then(|text| WebhookKey::parse(&text).ok()) {
                keys.insert(webhook.to_owned(), Arc::new(key));
            }
        }
        Ok(keys)
    }

    /// The message of a delivery; `None` when there is nothing to tell of any more.
    async fn message_of(&self, delivery: &TakenDelivery) -> Result<Option<String>, StoreError> {
        let record = self.store.execution(delivery.execution_id).await?;
        // One that could not be used may have been taken back, and waits again.
        let over = record.filter(|record| record.status.is_terminal());
        Ok(over.and_then(|record| message(&record).ok()))
    }

    /// A receiver that is gone is told nothing from now on.
    async fn pause_gone(&self, webhook: &str) {
        let edit = DefinitionEdit::PauseWebhook { name: webhook.to_owned(), is_paused: true };
        let who = format!("the receiver of {webhook}, which answered 410 Gone");
        let paused = self.edit_definitions(DefinitionWish::Edits(vec![edit]), &who, false).await;
        match paused {
            Ok(_) => tracing::warn!(webhook, "a webhook is paused: its receiver answered 410 Gone"),
            Err(error) => {
                tracing::warn!(webhook, %error, "a webhook whose receiver is gone cannot be paused")
            }
        }
    }
}

/// Tries one delivery and notes what came of it; gives whether there was an answer.
async fn deliver(
    supervisor: Weak<Supervisor>,
    courier: Courier,
    keys: Arc<WebhookKeys>,
    delivery: TakenDelivery,
) -> bool {
    let Some(here) = supervisor.upgrade() else { return true };
    let answer = answer(&here, courier, &keys, &delivery).await;
    let is_answered = !matches!(answer, Some(ReceiverAnswer::None { .. }));
    if let Err(error) = note(&here, &delivery, answer).await {
        // It is taken again when its lease is over.
        tracing::debug!(%error, execution_id = %delivery.execution_id, "a delivery could not be noted");
    }
    is_answered
}

/// What the receiver answers; `None` when there is nothing to tell of any more.
async fn answer(
    here: &Supervisor,
    courier: Courier,
    keys: &WebhookKeys,
    delivery: &TakenDelivery,
) -> Option<ReceiverAnswer> {
    let none = |reason: String| Some(ReceiverAnswer::None { reason });
    let Some(key) = keys.get(&delivery.webhook).cloned() else {
        let secret = secret_of(&delivery.webhook);
        return none(format!(
            "there is no key to sign with: supervisor webhook key | supervisor secret set {secret}"
        ));
    };
    let body = match here.message_of(delivery).await {
        Ok(body) => body?,
        Err(error) => return none(error.to_string()),
    };
    let (url, id) =
        (delivery.url.clone(), delivery_id(delivery.webhook_id, delivery.execution_id, &delivery.event));
    let second = Timestamp::now().as_second();
    let sent = tokio::task::spawn_blocking(move || courier.send(&url, &key, &id, second, &body));
    Some(sent.await.unwrap_or_else(|error| ReceiverAnswer::None { reason: error.to_string() }))
}

/// One try, as the history has it.
#[derive(Serialize)]
struct TryNote<'a> {
    at: Timestamp,
    status: Option<u16>,
    error: Option<&'a str>,
}

async fn note(
    here: &Supervisor,
    delivery: &TakenDelivery,
    answer: Option<ReceiverAnswer>,
) -> Result<(), StoreError> {
    let decision = match &answer {
        Some(answer) => after_try(delivery.attempts, answer),
        None => DeliveryDecision::GivenUp,
    };
    let (status, error) = match answer {
        Some(ReceiverAnswer::Status { code, .. }) => (Some(code), None),
        Some(ReceiverAnswer::None { reason }) => (None, Some(reason)),
        None => (None, Some("its execution is not kept any more".to_owned())),
    };
    let again_after = match decision {
        DeliveryDecision::Retry(pause) => Some(pause),
        DeliveryDecision::Delivered | DeliveryDecision::Gone | DeliveryDecision::GivenUp => None,
    };
    let note = TryNote { at: Timestamp::now(), status, error: error.as_deref() };
    let tried = DeliveryTry {
        execution_id: delivery.execution_id,
        webhook_id: delivery.webhook_id,
        attempts: delivery.attempts,
        is_delivered: decision == DeliveryDecision::Delivered,
        again_after,
        status,
        // Strings and a number: there is no way to fail.
        note: to_raw_value(&note).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        error,
    };
    here.store.note_delivery(&tried).await?;
    match decision {
        DeliveryDecision::Gone if delivery.webhook == OF_REQUESTS => {}
        DeliveryDecision::Gone => here.pause_gone(&delivery.webhook).await,
        DeliveryDecision::GivenUp => {
            let (webhook, execution_id) = (&delivery.webhook, delivery.execution_id);
            tracing::warn!(webhook, %execution_id, status, "a delivery is given up: `supervisor webhook retry` begins it anew");
        }
        DeliveryDecision::Delivered | DeliveryDecision::Retry(_) => {}
    }
    Ok(())
}
