//! How rows become records, once for both databases.

mod claims;
mod columns;
mod definitions;
mod executions;
mod limits;

pub(crate) use claims::claim_readers;
pub(crate) use columns::column_readers;
pub(crate) use definitions::definition_readers;
pub(crate) use executions::execution_readers;
pub(crate) use limits::limit_readers;

/// Defines the functions that turn a database's rows into records.
macro_rules! record_readers {
    ($row:ty $(, $row_trait:path)?) => {
        use std::collections::{HashMap, HashSet};

        use jiff::Timestamp;
        use muster_core::execution::{Attempt, LogLine, LogStream, Status};
        use muster_core::fleet::{FleetRecord, SupervisorRecord};
        use muster_core::limit::{ConcurrencyTerms, LimitRate, LimitTerms, OnFull};
        use muster_core::statistics::WorkflowStatistics;
        use serde_json::value::RawValue;
        use sqlx::Result;
        $(use $row_trait as _;)?
        use uuid::Uuid;

        use $crate::columns::{IdColumn, JsonColumn, TimeColumn, unsigned};
        use $crate::decide::{AttemptBudget, FoundRow};
        use $crate::limits::admission::LimitFill;
        use $crate::limits::on_full::Entrant;
        use $crate::limits::rate::RateState;
        use $crate::limits::session::Holder;
        use $crate::pauses::SubjectRow;
        use $crate::rows::parts;
        use $crate::session::{CancelledRow, Candidate, HeldKey, RenewedRow, WrittenAttempts};
        use $crate::shares::WaitingShare;
        use $crate::traces::events_of_column;
        use $crate::{
            ChangeRecord, Claimed, ConfigEntry, ConfigRecord, Cursor, DeliveryRecord, DueSchedule, EndedExecution,
            EventRow, ExecutionRecord, FiguresRecord, HeldLimit, LimitRecord, LimitUse, LogRow, NewExecution,
            OrganizationRecord, PauseRecord, PauseTarget, PrunedRows, RetentionTerms, ScheduleRecord, TakenDelivery,
            TokenRecord, TracedExecution, WebhookRecord, WorkflowRecord, WorkflowTerms,
        };

        $crate::readers::column_readers!($row);
        $crate::readers::claim_readers!($row);
        $crate::readers::limit_readers!($row);
        $crate::readers::execution_readers!($row);
        $crate::readers::definition_readers!($row);
    };
}

pub(crate) use record_readers;
