//! The harness of the suites: it drives the real binaries, on real processes, files and servers.
//!
//! A test makes an [`Installation`] (a temporary folder with settings and workflows), starts a
//! [`TestSupervisor`] or a batch in it, talks to it over HTTP, breaks something, and waits with
//! [`eventually()`] for what must come of it. Nothing here looks inside the supervisor: what cannot be seen
//! from outside cannot be relied on.
//!
//! The harness panics when it cannot go on: it is only ever called from tests.
#![expect(clippy::disallowed_methods, reason = "the harness starts the binaries under test, not workers")]

pub mod binaries;
pub mod process;

mod batch;
mod blocking;
mod broker_door;

mod cache;
mod client;
mod dialogue;
mod embedded;
mod eventually;
mod installation;
mod queue;
mod record;
mod services;
mod supervisor;

pub use batch::BatchRun;
pub use broker_door::{BrokerProxy, ConsumeAnswer};
pub use cache::{Cache, ChannelEvent};
pub use client::{ClientToken, Response, TestClient};
pub use dialogue::Dialogue;
pub use eventually::{Condition, eventually};
pub use installation::{Installation, rogue};
pub use queue::{HeldMessage, TestQueue};
pub use record::{HeldTable, REQUEST, Record};
pub use services::{Backends, ServerKind, Services};
pub use supervisor::TestSupervisor;
