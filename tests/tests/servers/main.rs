//! The service with the real binaries on real servers: RabbitMQ, PostgreSQL, Redis.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod cancels;
mod consequences;
mod consumer;
mod harness;
mod messages;
mod outages;
mod scope;
mod shares;
mod storm;
mod takeover;
mod world;
