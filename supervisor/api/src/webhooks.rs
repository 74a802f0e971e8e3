//! Webhooks, as they are given and shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Who is told what executions came to. What is sent is signed with the secret `webhook.NAME`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Webhook)]
pub struct WebhookDefinition {
    /// The name of the webhook. In a body it may be left out: the address has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The address that is told, `https://…`.
    pub url: String,
    /// What it is told of: `SUCCESS`, `FAILED`, `TIMEOUT`, `CANCELLED`; left out, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub events: Option<Vec<String>>,
    /// Of which workflows it is told, by name; left out, of all. An empty list: only of those whose definition names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub workflows: Option<Vec<String>>,
    /// True: it is told nothing. Left out, it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_paused: Option<bool>,
    /// Its id; a new one has the same in every database, unless one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<Uuid>,
}

/// The webhooks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Webhooks)]
pub struct WebhooksView {
    /// By name.
    pub webhooks: Vec<WebhookDefinition>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeliveryState)]
pub enum DeliveryWord {
    /// It waits for its next try.
    Pending,
    /// It was received.
    Delivered,
    /// It is not tried any more.
    Failed,
}

impl DeliveryWord {
    /// The word as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for DeliveryWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = [Self::Pending, Self::Delivered, Self::Failed];
        let found = words.into_iter().find(|word| word.as_str() == text);
        found.ok_or_else(|| "must be pending, delivered or failed".to_owned())
    }
}

/// What one webhook is to be told of one execution.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// The webhook; `request` of what the request asked for.
    pub webhook: String,
    /// The execution that ended.
    pub execution_id: Uuid,
    /// The id of the message, as the receiver sees it in `webhook-id`.
    pub message_id: String,
    /// What the execution came to.
    pub event: String,
    /// Where the delivery stands.
    pub state: DeliveryWord,
    /// How often it was tried since it was begun, or begun anew.
    pub attempts: u32,
    /// When the execution ended.
    pub created_at: Timestamp,
    /// When it is tried next; null once it is over.
    pub due_at: Option<Timestamp>,
    /// When it was received.
    pub delivered_at: Option<Timestamp>,
    /// The status of the last answer; null without one.
    pub last_status: Option<u32>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// The address, where the request named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// Every try: when, and what came of it.
    #[schema(value_type = Value)]
    pub history: Option<Box<RawValue>>,
}

/// Deliveries.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Deliveries)]
pub struct DeliveriesView {
    /// The newest first.
    pub deliveries: Vec<DeliveryView>,
}
