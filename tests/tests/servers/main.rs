//! The service with the real binaries on real servers: RabbitMQ, PostgreSQL, Redis.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod cancels;
mod clocks;
mod consequences;
mod consumer;
mod dead_letters;
mod definitions;
mod encrypted;
mod failed_start;
mod few_connections;
mod fleet;
mod harness;
mod leaving;
mod limits;
mod living;
mod locked;
mod loops;
mod messages;
mod once;
mod outages;
mod pauses;
mod quiet_broker;
mod refused;
mod schedules;
mod scope;
mod secrets;
mod shares;
mod silence;
mod starts;
mod storm;
mod takeover;
mod tokens;
mod unknown;
mod whereabouts;
mod windows;
mod world;
