//! The running consumer, as the service starts, watches and stops it.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connect::{QueueNames, parse};
use super::dead_letter_publisher::DeadLetterPublisher;
use super::rows::{IntakeRows, StoreRows};
use super::shell::{ConsumerParts, ConsumerShell};
use crate::Claims;
use crate::rabbitmq::consumer::{BrokerHealth, ConsumerConfig};
use crate::rabbitmq::{AmqpError, IntakeOptions};
use muster_bus::Bus;
use muster_store::Store;
use muster_system::vital;

/// The consumer of RabbitMQ, running until it is stopped.
#[derive(Debug)]
pub struct RabbitIntake {
    health: watch::Receiver<BrokerHealth>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl RabbitIntake {
    /// Starts to consume, in the background and for ever.
    ///
    /// # Errors
    /// When the URL or the queue's name cannot be used.
    pub fn start<C: Claims>(
        options: &IntakeOptions,
        claims: Arc<C>,
        store: Arc<dyn Store>,
        bus: Bus,
    ) -> Result<Self, AmqpError> {
        Self::start_on(options, claims, Arc::new(StoreRows::new(store, bus.clone())), bus)
    }

    pub(super) fn start_on<C: Claims>(
        options: &IntakeOptions,
        claims: Arc<C>,
        rows: Arc<dyn IntakeRows>,
        bus: Bus,
    ) -> Result<Self, AmqpError> {
        let address = parse(&options.broker)?;
        let names = QueueNames::new(&options.queue)?;
        let (health_sender, health) = watch::channel(BrokerHealth::connecting());
        let dead_letters = Arc::new(DeadLetterPublisher::new(address.clone(), names.clone()));
        let parts = ConsumerParts { address, names, claims, rows, bus, dead_letters, health: health_sender };
        let config = ConsumerConfig {
            queue: options.queue.as_str().into(),
            default_max_attempts: options.default_max_attempts,
            idempotency: options.idempotency,
            jitter_seed: fastrand::u64(..),
        };
        let stop = CancellationToken::new();
        let shell = ConsumerShell::new(parts, config);
        let task = tokio::spawn(vital::turning_until("rabbitmq", stop.clone(), shell.run(stop.clone())));
        Ok(Self { health, stop, task })
    }

    /// How it is. The receiver also tells of changes.
    pub fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.health.clone()
    }

    /// Stops consuming. Returns when what was claimed is acknowledged; what was not goes back to the queue.
    pub async fn stop(self) {
        self.stop.cancel();
        // The task does not panic; if it did, its message is in the log and there is nothing left to stop.
        let _ = self.task.await;
    }
}
