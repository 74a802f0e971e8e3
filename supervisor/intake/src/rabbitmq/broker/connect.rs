//! Connecting, and waiting for answers.

use std::time::Duration;

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, DefaultConnectionBuilder, ErrorKind};
use muster_system::certificates::ServerAddress;

use crate::rabbitmq::AmqpError;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the broker may take to answer. A queue that is being recovered may never answer; then the
/// connection is given up and a new one tried.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A dead peer shows after two of these, unless the URL says otherwise.
const HEARTBEAT_SECONDS: u16 = 10;
/// The code of "the arguments differ from those of the existing queue".
const PRECONDITION_FAILED: u16 = 406;
/// The code of "this user may not".
const ACCESS_REFUSED: u16 = 403;
/// The code of "there is no such queue or exchange".
const NOT_FOUND: u16 = 404;

impl From<lapin::Error> for AmqpError {
    fn from(error: lapin::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add kinds at any time")]
        match error.kind() {
            ErrorKind::ProtocolError(refusal) => Self::Refused(refusal.get_message().to_string()),
            _ => Self::Unreachable(error.to_string()),
        }
    }
}

/// True when a declaration met a queue or exchange with other arguments.
pub(super) fn is_mismatch(error: &lapin::Error) -> bool {
    refusal_code(error) == Some(PRECONDITION_FAILED)
}

/// True when a queue or exchange that was asked for is not there.
pub(super) fn is_absent(error: &lapin::Error) -> bool {
    refusal_code(error) == Some(NOT_FOUND)
}

/// True when the user's rights do not go so far.
pub(super) fn is_forbidden(error: &lapin::Error) -> bool {
    refusal_code(error) == Some(ACCESS_REFUSED)
}

fn refusal_code(error: &lapin::Error) -> Option<u16> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add kinds at any time")]
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => Some(refusal.get_id()),
        _ => None,
    }
}

/// Where the broker is, and by which certificates it and we are known.
#[derive(Clone, Debug)]
pub(super) struct BrokerAddress {
    pub(super) uri: AMQPUri,
    tls: OwnedTLSConfig,
}

/// Reads the URL and the certificates, so that wrong ones are told at the start.
pub(super) fn parse(address: &ServerAddress) -> Result<BrokerAddress, AmqpError> {
    let mut uri: AMQPUri = address.url.parse().map_err(AmqpError::Url)?;
    uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
    let certificates = address.certificates.read()?;
    let tls = OwnedTLSConfig {
        identity: certificates.identity.map(|(pem, key)| OwnedIdentity::PKCS8 { pem, key }),
        cert_chain: certificates.ca.map(|ca| String::from_utf8_lossy(&ca).into_owned()),
    };
    Ok(BrokerAddress { uri, tls })
}

/// Connects under a name that the broker's screens show.
pub(super) async fn connect(address: &BrokerAddress, purpose: &str) -> Result<Connection, AmqpError> {
    let name = format!("muster {purpose} (pid {})", std::process::id());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let builder = DefaultConnectionBuilder::new()?
        .with_uri(address.uri.clone())
        .with_properties(properties)
        .with_tls_config(address.tls.clone());
    match tokio::time::timeout(CONNECT_TIMEOUT, builder.connect()).await {
        Ok(connection) => Ok(connection?),
        Err(_) => Err(AmqpError::Unreachable("no connection in time".to_owned())),
    }
}

/// The broker's answer, within the time it has.
pub(super) async fn answered<T>(
    answer: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, lapin::Error> {
    match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// The names of a queue and what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct QueueNames {
    /// Where messages wait.
    pub(super) queue: ShortString,
    /// The exchange and the queue of dead letters: both have this name.
    pub(super) dead: ShortString,
}

impl QueueNames {
    pub(super) fn new(queue: &str) -> Result<Self, AmqpError> {
        let name =
            |text: String| ShortString::try_new(text).map_err(|_| AmqpError::QueueName(queue.to_owned()));
        Ok(Self { queue: name(queue.to_owned())?, dead: name(format!("{queue}.dead"))? })
    }
}
