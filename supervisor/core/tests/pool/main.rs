//! The pure core of the pool: its rules one by one as scenarios, and all of them at once as a simulation.
#![cfg(test)]

mod scenarios;
mod simulation;
#[path = "../simulator/mod.rs"]
mod simulator;
