//! Saying who this supervisor is, once, for whoever reads later which one ran an attempt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use muster_core::fleet::SupervisorRecord;
use muster_store::{Store, StoreError};

use super::supervisor::Supervisor;

/// The pause before it is said again to a database that did not hear it.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Writes who this is. A database that refuses loses nothing else by it.
pub(super) async fn announce(store: Arc<dyn Store>, record: SupervisorRecord) {
    loop {
        match store.announce(&record).await {
            Ok(()) => return,
            Err(
                StoreError::Unreachable { .. }
                | StoreError::NoRoom { .. }
                | StoreError::Damaged { .. }
                | StoreError::Locked { .. }
                | StoreError::CommitUnknown { .. },
            ) => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "cannot write which process this supervisor is, so `supervisor show` will name it by its id \
                     alone: grant its user to read and write the table supervisors"
                );
                return;
            }
        }
    }
}

impl Supervisor {
    /// Which process this is.
    pub(super) fn who(&self) -> SupervisorRecord {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let data_dir = std::path::absolute(self.data_dir()).unwrap_or_else(|_| self.data_dir().to_owned());
        SupervisorRecord {
            id: self.core.claimant.owner,
            http_address: self.started_with.http_bind.map(|address| url(address, &host)),
            host,
            process_id: std::process::id(),
            data_dir: data_dir.display().to_string(),
            started_at: self.started_at,
        }
    }
}

/// The address of the API: that of the machine where it listens on all of the machine's.
fn url(address: SocketAddr, host: &str) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://{host}:{}", address.port()),
        false => format!("http://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn an_address_can_be_called() {
        let shown = |address: &str| url(address.parse().unwrap(), "web-1");
        assert_eq!(shown("127.0.0.1:7420"), "http://127.0.0.1:7420");
        assert_eq!(shown("[::1]:7420"), "http://[::1]:7420");
        assert_eq!([shown("0.0.0.0:80"), shown("[::]:80")], ["http://web-1:80", "http://web-1:80"]);
    }
}
