//! How the consumer is: for readiness and for people.

use serde::Serialize;

/// How the consumer is: for readiness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BrokerHealth {
    /// Why there is no connection; `None` when there is one.
    pub problem: Option<String>,
    /// Why the last consumer was not opened, until one is: it was refused, or never answered.
    pub consume_problem: Option<String>,
    /// The broker has confirmed a consumer on this connection. There is none before a slot is free.
    pub confirmed: bool,
    /// Whether messages are on their way to us right now. False while no slot is free.
    pub consuming: bool,
    /// Messages that cannot be run before Redis can be asked for their pending record.
    pub waiting_for_records: usize,
    /// Why unusable messages cannot be dead-lettered. Consuming goes on.
    pub dead_letter_problem: Option<String>,
    /// Queues that are not as we would have made them.
    pub differences: Vec<String>,
    /// Messages taken since the start: claimed, or known already.
    pub taken: u64,
    /// Messages dead-lettered since the start.
    pub dead_lettered: u64,
}

impl BrokerHealth {
    /// The health of a consumer that has just begun.
    pub(in crate::rabbitmq) fn connecting() -> Self {
        Self { problem: Some("connecting".to_owned()), ..Self::default() }
    }

    /// Becomes like `other`, and says whether anybody must be told. A message taken is no news.
    pub fn follow(&mut self, other: &Self) -> bool {
        if self == other {
            return false;
        }
        self.taken = other.taken;
        let is_news = self != other;
        if is_news {
            self.clone_from(other);
        }
        is_news
    }
}
