//! The consumer's life around its sessions: connect, serve, lose the connection, connect again, for ever.

use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder as _;
use futures_util::StreamExt as _;
use lapin::uri::AMQPUri;
use lapin::{Connection, Event};
use muster_bus::Bus;
use muster_store::Store;
use muster_system::vital;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connect::{AmqpError, QueueNames, answered, connect, parse};
use super::dead_letter_publisher::DeadLetterPublisher;
use super::rows::{IntakeRows, StoreRows};
use super::session::ConsumerSession;
use super::topology;
use crate::Claims;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// What the consumer must know.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// `amqp://…` or `amqps://…`.
    pub url: String,
    /// The queue's name.
    pub queue: String,
    /// For requests that do not say how many attempts they may have.
    pub default_max_attempts: u32,
}

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

/// What sessions share.
#[derive(Debug)]
pub(super) struct IntakeShared<C> {
    pub(super) claims: Arc<C>,
    pub(super) rows: Arc<dyn IntakeRows>,
    pub(super) bus: Bus,
    pub(super) dead_letters: Arc<DeadLetterPublisher>,
    pub(super) names: QueueNames,
    pub(super) default_max_attempts: u32,
    pub(super) health: watch::Sender<BrokerHealth>,
}

/// The running consumer.
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
        Self::start_on(options, claims, Arc::new(StoreRows { store, bus: bus.clone() }), bus)
    }

    pub(super) fn start_on<C: Claims>(
        options: &IntakeOptions,
        claims: Arc<C>,
        rows: Arc<dyn IntakeRows>,
        bus: Bus,
    ) -> Result<Self, AmqpError> {
        let uri = parse(&options.url)?;
        let not_yet = BrokerHealth { problem: Some("connecting".to_owned()), ..BrokerHealth::default() };
        let (health_sender, health) = watch::channel(not_yet);
        let names = QueueNames::new(&options.queue)?;
        let dead_letters = Arc::new(DeadLetterPublisher::new(uri.clone(), names.clone(), Arc::clone(&rows)));
        let shared = IntakeShared {
            claims,
            rows,
            bus,
            dead_letters,
            names,
            default_max_attempts: options.default_max_attempts,
            health: health_sender,
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(vital::turning_until(
            "rabbitmq",
            stop.clone(),
            consume_for_ever(uri, shared, stop.clone()),
        ));
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

async fn consume_for_ever<C: Claims>(uri: AMQPUri, shared: IntakeShared<C>, stop: CancellationToken) {
    let mut pauses = delays();
    let mut told = String::new();
    loop {
        let opened = tokio::select! {
            opened = ConsumerConnection::open(&uri, &shared) => opened,
            () = stop.cancelled() => return,
        };
        let served = match opened {
            Ok(line) => line.serve(&shared, &stop).await,
            Err(error) => Err(error),
        };
        let Err(error) = served else { return };
        // A connection proves nothing: a broker that lets us in and no consumer through is left alone for as
        // long as one that is away.
        if shared.health.borrow().confirmed {
            (pauses, told) = (delays(), String::new());
        }
        let (pause, reason) = (pauses.next().unwrap_or(PAUSE_MAX), error.to_string());
        if std::mem::replace(&mut told, reason.clone()) != reason {
            tracing::warn!(reason, "rabbitmq is out of reach; reconnecting");
        }
        tracing::debug!(reason, retry_in_ms = pause.as_millis(), "no rabbitmq");
        shared.health.send_modify(|health| {
            health.problem = Some(reason);
            (health.consuming, health.confirmed, health.waiting_for_records) = (false, false, 0);
        });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One connection, from the handshake to its end.
struct ConsumerConnection<'a, C: Claims> {
    connection: Connection,
    session: ConsumerSession<'a, C>,
    differences: Vec<String>,
}

impl<'a, C: Claims> ConsumerConnection<'a, C> {
    async fn open(uri: &AMQPUri, shared: &'a IntakeShared<C>) -> Result<Self, AmqpError> {
        let connection = connect(uri, "intake").await?;
        let differences = topology::declare(&connection, &shared.names).await?.differences;
        let session = ConsumerSession::open(&connection, shared).await?;
        Ok(Self { connection, session, differences })
    }

    async fn serve(mut self, shared: &IntakeShared<C>, stop: &CancellationToken) -> Result<(), AmqpError> {
        // Told once, and not with each new connection.
        if shared.health.borrow().differences != self.differences {
            for difference in &self.differences {
                tracing::warn!(difference, "rabbitmq is not set up as expected");
            }
        }
        shared.health.send_modify(|health| {
            health.problem = None;
            health.differences = std::mem::take(&mut self.differences);
        });
        let lost = ConnectionLoss(watch::Sender::new(None));
        tokio::select! {
            // The session ends by itself when the connection is lost: a claim must not be broken off.
            served = self.session.run(stop, &lost) => served?,
            () = watch_connection(&self.connection, &lost) => {}
        }
        answered(self.connection.close(200, "done".into())).await?;
        Ok(())
    }
}

/// Whether the connection is lost, and why.
#[derive(Debug)]
pub(super) struct ConnectionLoss(watch::Sender<Option<AmqpError>>);

impl ConnectionLoss {
    /// Returns once it is lost. Safe to cancel.
    pub(super) async fn reason(&self) -> AmqpError {
        let mut lost = self.0.subscribe();
        let reason = lost.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            // The sender lives in `self`.
            None => std::future::pending().await,
        }
    }
}

/// Notes when the connection is lost. Does not end.
async fn watch_connection(connection: &Connection, lost: &ConnectionLoss) {
    let mut events = std::pin::pin!(connection.events_listener());
    while let Some(event) = events.next().await {
        if let Event::Error(error) = event {
            lost.0.send_replace(Some(error.into()));
        }
    }
    lost.0.send_replace(Some(AmqpError::Unreachable("the connection was closed".to_owned())));
    std::future::pending().await
}

/// How long to wait between attempts to connect: rising, jittered, without end.
fn delays() -> impl Iterator<Item = Duration> + Send {
    backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(PAUSE_MAX)
        .with_jitter()
        .without_max_times()
        .build()
}
