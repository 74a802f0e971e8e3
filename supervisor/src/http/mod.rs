//! The HTTP interface: executions, the pool, health, metrics and the dashboard.

pub mod view;
