//! The pure core of the consumer of RabbitMQ: its rules one by one as scenarios, and all of them at once as a
//! simulation.
#![cfg(test)]

mod scenarios;
mod simulation;
#[path = "../../../core/tests/simulator/mod.rs"]
mod simulator;
