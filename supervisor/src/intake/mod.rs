//! Where executions come from: messages of RabbitMQ, and rows of the store that are due.
//!
//! An intake reserves a slot before it claims, claims before it acknowledges, and hands what is claimed on.
//! It never decides what becomes of an execution.

mod row;
