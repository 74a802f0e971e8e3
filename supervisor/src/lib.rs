//! The Muster supervisor: takes workflow executions from a queue, hands each to one warm worker process,
//! holds it to its limits, and finalizes what comes back.
//!
//! Data flows one way through the modules below: intake, claim, prewarm, dispatch, run, finalize, notify,
//! clean up. The decisions of the pool are a pure state machine ([`muster_core::pool`]).

pub mod access;
pub mod api;
pub mod batch;
pub mod cli;
pub mod definitions;
pub mod dispatch;
pub mod doctor;
mod figures;
pub mod finalize;
pub mod http;
pub mod liveness;
pub mod notify;
pub mod observe;
pub mod prewarm;
pub mod schedules;
pub mod secret_keys;
pub mod service;
mod strict_request;
mod traces;
pub mod transcripts;
pub mod webhooks;

pub use muster_api::client;
pub use muster_executor::{self as executor, descriptions};
pub use muster_settings as settings;
