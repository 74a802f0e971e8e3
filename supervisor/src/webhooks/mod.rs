//! Webhooks: telling other systems what executions came to, as the Standard Webhooks specification has it.
//!
//! That somebody is to be told is written with the outcome, by the store. Here is what is sent ([`message()`]), how it is
//! signed ([`WebhookKey`]), and whom it may be sent to ([`Courier`]). What follows from an answer is decided in
//! [`muster_core::webhook`]; the loop is in `service`.

mod address;
mod courier;
mod message;

pub use courier::Courier;
pub use message::{delivery_id, message};
pub use muster_settings::webhook_key::{InvalidWebhookKey, KEY_PREFIX, WebhookKey, make_key, secret_of};
