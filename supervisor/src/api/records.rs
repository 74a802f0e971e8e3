//! Rows of the record, as they are shown. What is defined has its own: see `definitions`.

use muster_api::{DeliveryWord, PauseView, QueueView, TokenView};
use muster_store::{DeliveryState, PauseRecord, Pauses, QueueUse, TokenRecord};

/// So many queues are shown, the served ones before the others.
const QUEUES_MAX: usize = 200;

/// A token.
pub fn token_view(record: &TokenRecord) -> TokenView {
    let organization = record.organization_key.clone();
    TokenView {
        name: record.name.clone(),
        role: record.role,
        organization: organization.or_else(|| Some(record.organization_id?.to_string())),
        expires_at: record.expires_at,
        created_at: record.created_at,
        created_by: record.created_by.clone(),
        rotated_at: record.rotated_at,
        previous_until: record.previous_until,
        last_used_at: record.last_used_at,
    }
}

/// A pause.
pub fn pause_view(record: &PauseRecord) -> PauseView {
    PauseView {
        target: record.called(),
        who: record.who.clone(),
        why: record.why.clone(),
        since: record.since,
    }
}

/// All that is paused.
pub fn pause_views(pauses: &Pauses) -> Vec<PauseView> {
    pauses.iter().map(pause_view).collect()
}

/// Queues: those that are served, in their order, and the others that have something.
pub fn queue_views(served: &[String], uses: &[QueueUse]) -> Vec<QueueView> {
    let of = |queue: &str| uses.iter().find(|used| used.queue == queue).cloned().unwrap_or_default();
    let served_views =
        served.iter().map(|queue| QueueView { queue: queue.clone(), ..queue_view(of(queue), true) });
    let others = uses.iter().filter(|used| !served.contains(&used.queue));
    let others = others.map(|used| queue_view(used.clone(), used.queue.is_empty()));
    served_views.chain(others).take(QUEUES_MAX).collect()
}

fn queue_view(QueueUse { queue, waiting, oldest_wait }: QueueUse, is_served: bool) -> QueueView {
    let oldest_wait_seconds = oldest_wait.unwrap_or_default().as_secs_f64();
    QueueView { queue, is_served, waiting, oldest_wait_seconds }
}

/// The state of deliveries that a word asks for.
pub fn delivery_state(word: DeliveryWord) -> DeliveryState {
    match word {
        DeliveryWord::Pending => DeliveryState::Pending,
        DeliveryWord::Delivered => DeliveryState::Delivered,
        DeliveryWord::Failed => DeliveryState::Failed,
    }
}
