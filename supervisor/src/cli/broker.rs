//! Publishing straight to RabbitMQ.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use muster_core::execution::RequestDraft;
use muster_intake::rabbitmq::QueuePublisher;
use uuid::Uuid;

use super::dead::amqp_failure;
use super::exit::CommandFailure;
use crate::settings::{Raw, Settings, Sources};

/// Whether to publish to the broker, and where it is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "RabbitMQ")]
pub(crate) struct BrokerFlags {
    /// Publish to RabbitMQ instead of asking a supervisor. Confirmed: it is in the queue when this returns.
    #[arg(long, conflicts_with_all = ["wait", "follow", "url"])]
    pub(super) amqp: bool,
    /// The broker [default: amqp_url of the settings].
    #[arg(long, value_name = "URL", requires = "amqp")]
    amqp_url: Option<String>,
    /// The settings file [default: ./muster.toml, else /etc/muster/muster.toml].
    #[arg(long, value_name = "FILE", requires = "amqp")]
    config: Option<PathBuf>,
}

impl BrokerFlags {
    /// Checks a message as a supervisor would, gives it an id if it has none, and publishes it in this queue, or in that
    /// of the settings.
    pub(super) fn publish(&self, message: &str, queue: Option<&str>) -> Result<Uuid, CommandFailure> {
        let request = RequestDraft::parse(message.as_bytes())
            .map(|draft| draft.with_default_id(Uuid::now_v7()))
            .and_then(RequestDraft::into_request)
            .map_err(|error| CommandFailure::usage(error.to_string()))?;
        let settings = self.settings(queue)?;
        let Some(url) = &settings.amqp_url else {
            return Err(CommandFailure::usage(
                "--amqp needs a broker: give --amqp-url or set MUSTER_AMQP_URL",
            ));
        };
        let publisher = QueuePublisher::new(settings.server(url), &settings.queue).map_err(amqp_failure)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(publisher.publish(&[request.to_stored()])).map_err(amqp_failure)?;
        Ok(request.execution_id)
    }

    fn settings(&self, queue: Option<&str>) -> Result<Settings, CommandFailure> {
        let given = [("amqp_url", self.amqp_url.as_deref()), ("queue", queue)];
        let flags: BTreeMap<&'static str, Raw> = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, Raw::Text(value?.to_owned()))))
            .collect();
        Ok(Settings::load(&Sources::of_process(self.config.clone(), flags).letting_nobody_in())?)
    }
}
