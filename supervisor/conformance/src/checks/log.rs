//! Log records: complete, in order, in bounds.

use muster_protocol::LogLevel;
use muster_protocol::limits::LOG_BATCH_MAX_RECORDS;
use serde_json::json;

use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::{Ended, WorkerSession};

/// Many batches.
const MANY_RECORDS: usize = 5_000;

pub(crate) async fn records(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let ended = session.run("log", &json!({ "count": 3 })).await?;
    must_be_complete(&mut session, &ended, 3).await?;
    if let Some(record) = ended.records.iter().find(|record| record.level != LogLevel::Info) {
        let seen = format!("level {} in {:?}", record.level.as_str(), record.message);
        return Err(session.fault("records of conformance.log have the level info", seen).await);
    }
    // The count is that of the run, not that of the process.
    let ended = session.run("log", &json!({ "count": 2 })).await?;
    must_be_complete(&mut session, &ended, 2).await
}

pub(crate) async fn many_records(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let ended = session.run("log", &json!({ "count": MANY_RECORDS })).await?;
    must_be_complete(&mut session, &ended, MANY_RECORDS).await?;
    if ended.batch_max > LOG_BATCH_MAX_RECORDS {
        let seen = format!("{} records in one", ended.batch_max);
        return Err(session.fault("a Log holds at most 256 records", seen).await);
    }
    session.still_works("a long log").await
}

/// `line 0`, `line 1` and so on, all before Finished, which counts them.
async fn must_be_complete(session: &mut WorkerSession, ended: &Ended, count: usize) -> Checked {
    let wrong = (0..count).find(|&number| {
        ended.records.get(number).is_none_or(|record| record.message != format!("line {number}"))
    });
    if let Some(number) = wrong {
        let seen = match ended.records.get(number) {
            Some(record) => {
                format!("{:?} in its place, {} records in all", record.message, ended.records.len())
            }
            None => format!("only {} records before Finished", ended.records.len()),
        };
        return Err(session.fault(format!("record {number} of {count} is \"line {number}\""), seen).await);
    }
    let said = usize::try_from(ended.log_records).unwrap_or(usize::MAX);
    if ended.records.len() != count || said != count {
        let seen = format!("{} records came, and Finished says {said}", ended.records.len());
        return Err(session.fault(format!("{count} records, and Finished says {count}"), seen).await);
    }
    Ok(())
}
