//! The client and the server, over a real socket and the embedded store.

mod answers;
mod documented;
mod executions;
mod logs;
mod pool;
mod served;
mod socket;
mod stand;
