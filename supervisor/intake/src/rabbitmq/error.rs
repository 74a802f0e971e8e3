//! The words for what can go wrong.

use muster_store::StoreError;
use muster_system::certificates::CertificateError;

/// Why RabbitMQ did not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmqpError {
    /// The setting `amqp_url` is not an address of RabbitMQ.
    #[error("amqp_url cannot be used ({0}): give amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…")]
    Url(String),
    /// A certificate is wrong.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The setting asks for what is not in this build.
    #[error(
        "this supervisor was built without RabbitMQ: leave amqp_url unset, or build it with the feature `rabbitmq`"
    )]
    NotBuilt,
    /// The name of the queue is longer than AMQP allows.
    #[error("the queue name {0:?} is too long: at most 250 bytes")]
    QueueName(String),
    /// A queue is a stream, from which nothing is ever taken.
    #[error(
        "queue {0} is a stream: what is in it is never taken out, so nobody can say what has run; set another queue, or \
         delete it, and the supervisor makes a quorum queue"
    )]
    Stream(String),
    /// The broker cannot be reached; it may be later.
    #[error("rabbitmq is out of reach: {0}")]
    Unreachable(String),
    /// The broker answered with an error.
    #[error("rabbitmq refused: {0}")]
    Refused(String),
    /// A message was sent, and the broker did not say that it keeps it.
    #[error("rabbitmq did not confirm the message: {0}")]
    NotConfirmed(String),
}

/// Why dead letters could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The broker did not do what was asked.
    #[error(transparent)]
    Amqp(#[from] AmqpError),
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}
