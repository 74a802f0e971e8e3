//! What the consumer tells a person, in the log.

use tracing::{debug, info, warn};

use crate::rabbitmq::broker::connect::QueueNames;
use crate::rabbitmq::consumer::ConsumerNotice;

pub(super) fn tell(notice: &ConsumerNotice, names: &QueueNames) {
    match notice {
        ConsumerNotice::Difference(difference) => warn!(difference, "rabbitmq is not set up as expected"),
        ConsumerNotice::Consuming => info!(queue = %names.queue, "rabbitmq is connected; consuming"),
        ConsumerNotice::NothingConsumed { reason } => {
            warn!(reason, "rabbitmq is out of reach; reconnecting");
        }
        ConsumerNotice::Reconnecting { reason, retry_in } => {
            debug!(reason, retry_in_ms = retry_in.as_millis(), "no rabbitmq");
        }
        ConsumerNotice::CannotClaim { error, waiting } => warn!(error, waiting, "cannot claim; trying again"),
        ConsumerNotice::CannotKeep { error, waiting } => {
            warn!(error, waiting, "cannot keep messages as rows; trying again");
        }
        ConsumerNotice::KeptAsRows { count } => {
            debug!(count, "no free slot in time; messages are kept as rows")
        }
        ConsumerNotice::WaitsForStore { error } => debug!(error, "a minimal message waits for the store"),
        ConsumerNotice::WaitsForRecords { count } => warn!(
            count,
            "messages wait for their pending record in Redis, which is out of reach; they run when it is back"
        ),
        ConsumerNotice::RecordsAreBack => info!("no message waits for a pending record in Redis any more"),
        ConsumerNotice::DeadLettered { execution_id, reason } => {
            warn!(execution_id = execution_id.map(tracing::field::display), reason, "message dead-lettered");
        }
        ConsumerNotice::CannotDeadLetter { problem, waiting } => {
            warn!(problem, waiting, "cannot dead-letter messages; trying again");
        }
    }
}
