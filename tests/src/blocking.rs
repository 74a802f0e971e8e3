//! Waiting for a future from a test, which is plain code.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// One runtime for all connections of the harness: a connection lives on the runtime it was opened on.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.unwrap_or_else(|error| panic!("no runtime: {error}"))
});

/// Waits for a future.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}
