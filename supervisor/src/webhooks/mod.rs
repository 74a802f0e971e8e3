//! Webhooks: telling other systems what executions came to, as the Standard Webhooks specification has it.
//!
//! That somebody is to be told is written with the outcome, by the store. Here is what is sent ([`message()`]), how it is
//! signed ([`WebhookKey`]), and whom it may be sent to ([`Courier`]). What follows from an answer is decided in
//! [`muster_core::webhook`]; the loop is in `service`.

mod address;
mod courier;
mod message;
mod signature;

pub use courier::Courier;
pub use message::{delivery_id, message};
pub use signature::{InvalidWebhookKey, WebhookKey, make_key};

/// What the keys of secrets begin with that deliveries are signed with. Runs are not given them.
pub const KEY_PREFIX: &str = "webhook.";

/// The key of the secret that deliveries of this webhook are signed with.
pub fn secret_of(webhook: &str) -> String {
    format!("{KEY_PREFIX}{webhook}")
}
