//! Writes as Redis commands.

use redis::{Pipeline, ServerError, Value};

use super::super::transport::CacheWrite;

/// The one field of a stream entry.
const ENTRY_FIELD: &str = "data";

/// Adds a write, and gives how many answers it will have.
pub(super) fn add(pipeline: &mut Pipeline, write: &CacheWrite) -> usize {
    let before = pipeline.len();
    match write {
        CacheWrite::Set { key, value, life } => {
            pipeline.cmd("SET").arg(key).arg(&value[..]).arg("PX").arg(milliseconds(*life));
        }
        CacheWrite::Append { key, entries, max_entries, life } => {
            for entry in entries {
                pipeline.cmd("XADD").arg(key).arg("MAXLEN").arg("~").arg(*max_entries);
                pipeline.arg("*").arg(ENTRY_FIELD).arg(&entry[..]);
            }
            pipeline.cmd("PEXPIRE").arg(key).arg(milliseconds(*life));
        }
        CacheWrite::Push { key, value, life } => {
            pipeline.cmd("RPUSH").arg(key).arg(&value[..]);
            pipeline.cmd("PEXPIRE").arg(key).arg(milliseconds(*life));
        }
        CacheWrite::Reply { key, value, life } => {
            pipeline.cmd("MULTI").cmd("DEL").arg(key);
            pipeline.cmd("LPUSH").arg(key).arg(&value[..]);
            pipeline.cmd("PEXPIRE").arg(key).arg(milliseconds(*life)).cmd("EXEC");
        }
        CacheWrite::Delete { keys } => {
            if !keys.is_empty() {
                pipeline.cmd("DEL").arg(keys);
            }
        }
        CacheWrite::Publish { channel, message } => {
            pipeline.cmd("PUBLISH").arg(channel).arg(&message[..]);
        }
    }
    pipeline.len() - before
}

/// The first refusal among these answers.
pub(super) fn refusal(answers: &[Value]) -> Option<&ServerError> {
    answers.iter().find_map(|answer| match answer {
        Value::ServerError(error) => Some(error),
        Value::Array(items) => refusal(items),
        Value::Nil
        | Value::Int(_)
        | Value::BulkString(_)
        | Value::SimpleString(_)
        | Value::Okay
        | Value::Map(_)
        | Value::Attribute { .. }
        | Value::Set(_)
        | Value::Double(_)
        | Value::Boolean(_)
        | Value::VerbatimString { .. }
        | Value::Push { .. }
        | _ => None,
    })
}

fn milliseconds(life: std::time::Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}
