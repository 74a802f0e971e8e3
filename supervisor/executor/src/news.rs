//! A message of a worker, read and made ready: all of the work on it that takes as long as it is large, in one place,
//! so that it can be done anywhere. What is left for the executor's thread is to hand it on.

use muster_core::execution::{LogLine, Secrets};
use muster_protocol::codec::Decoded;
use muster_protocol::limits::LOG_BATCH_MAX_BYTES;
use muster_protocol::wire::{WholeMessage, WireError};
use muster_protocol::{ErrorInfo, LogLevel, ToSupervisor};

use super::calls::Question;
use super::live::RunProgress;
use super::logs;
use crate::descriptions::{DescribedSet, Descriptions};

/// A message with more than this is read on a thread for it. A full batch of log records is not among them.
const LARGE_BYTES: usize = 4 * LOG_BATCH_MAX_BYTES;

/// True when reading the message takes so long that it is not for the executor's thread. The end of a run in a frame
/// never does, so it is known before the limit of the run can pass.
pub(super) fn takes_long(whole: &WholeMessage) -> bool {
    whole.size_bytes() > LARGE_BYTES && !whole.is_framed_end()
}

/// A message, and what was made of it.
#[derive(Debug)]
pub(super) struct WorkerNews {
    /// As it came, but for records of a log: they are lines now.
    pub(super) message: ToSupervisor,
    pub(super) ready: ReadyNews,
}

/// What a message of a run was made into: masked, cut, parsed.
#[derive(Debug)]
pub(super) enum ReadyNews {
    /// Lines of the run's log, one for each record.
    Logged { run: u32, lines: Vec<LogLine> },
    /// A remark for the run's log.
    Remarked { run: u32, line: LogLine },
    /// How far the run is.
    Progressed { run: u32, progress: RunProgress },
    /// What the run asks for, or why that makes no sense.
    Asked { run: u32, call: u32, question: Result<Question, ErrorInfo> },
    /// What it described, and what of that does not count.
    Described { set: DescribedSet, problems: Vec<String> },
    /// The message says it all.
    AsItCame,
}

/// Reads a message. These are masked in what people will read.
pub(super) fn read(
    whole: &WholeMessage,
    secrets: &Secrets,
    descriptions: &Descriptions,
) -> Result<Decoded<WorkerNews>, WireError> {
    Ok(match whole.read::<ToSupervisor>()? {
        Decoded::Message(mut message) => {
            let ready = make_ready(&mut message, secrets, descriptions);
            Decoded::Message(WorkerNews { message, ready })
        }
        Decoded::Unknown { name } => Decoded::Unknown { name },
    })
}

fn make_ready(message: &mut ToSupervisor, secrets: &Secrets, descriptions: &Descriptions) -> ReadyNews {
    match message {
        ToSupervisor::Log { run, records } => {
            let lines =
                std::mem::take(records).into_iter().map(|record| logs::recorded(record, secrets)).collect();
            ReadyNews::Logged { run: *run, lines }
        }
        ToSupervisor::Stacks { run, text } => {
            let said = format!("what the worker was doing:\n{text}");
            ReadyNews::Remarked { run: *run, line: logs::remarked(LogLevel::Warn, said, secrets) }
        }
        ToSupervisor::Progress { run, current, total, message } => {
            let message = secrets.mask(message).into_owned();
            let progress = RunProgress { current: *current, total: *total, message };
            ReadyNews::Progressed { run: *run, progress }
        }
        ToSupervisor::Call { run, call, method, params } => {
            let question = Question::read(method, params).and_then(|question| question.check(descriptions));
            ReadyNews::Asked { run: *run, call: *call, question }
        }
        ToSupervisor::Describe { replaces, workflows, broken } => {
            let mut broken = broken.clone();
            broken.iter_mut().for_each(|file| secrets.mask_error(&mut file.error));
            let (set, problems) = DescribedSet::read(*replaces, workflows, &broken);
            ReadyNews::Described { set, problems }
        }
        ToSupervisor::Hello { .. }
        | ToSupervisor::Ready { .. }
        | ToSupervisor::InitFailed { .. }
        | ToSupervisor::Started { .. }
        | ToSupervisor::Finished { .. }
        | ToSupervisor::Idle { .. }
        | ToSupervisor::Pong { .. }
        | ToSupervisor::Forked { .. }
        | ToSupervisor::Exited { .. }
        | ToSupervisor::ForkFailed { .. }
        | ToSupervisor::Goodbye { .. } => ReadyNews::AsItCame,
    }
}
