//! How rows become records, once for both databases.

/// Defines the functions that turn a database's rows into records.
macro_rules! record_readers {
    ($row:ty $(, $row_trait:path)?) => {
        use std::collections::{HashMap, HashSet};

        use jiff::Timestamp;
        use muster_core::execution::{Attempt, LogLine, LogStream, Status};
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
        use $crate::session::{CancelledRow, Candidate, HeldKey, WrittenAttempts};
        use $crate::shares::WaitingShare;
        use $crate::traces::events_of_column;
        use $crate::{
            ChangeRecord, Claimed, ConcurrencyTerms, ConfigEntry, ConfigRecord, Cursor, DeliveryRecord, DueSchedule, EndedExecution, EventRow,
            ExecutionRecord, FiguresRecord, FleetRecord, HeldLimit, LimitRate, LimitRecord, LimitTerms, LimitUse, LogRow, NewExecution, OnFull,
            OrganizationRecord, PauseRecord, PauseTarget, PrunedRows, RetentionTerms, ScheduleRecord, SupervisorRecord,
            TakenDelivery, TokenRecord, TracedExecution, WebhookRecord, WorkflowRecord, WorkflowStatistics, WorkflowTerms,
        };

        pub(crate) fn required_id(row: &$row, column: &str) -> Result<Uuid> {
            Ok(row.try_get::<IdColumn, _>(column)?.0)
        }

        pub(crate) fn ids(rows: &[$row]) -> Result<HashSet<Uuid>> {
            rows.iter().map(|row| required_id(row, "id")).collect()
        }

        pub(crate) fn written(rows: &[$row]) -> Result<WrittenAttempts> {
            rows.iter().map(|row| Ok((attempt(row)?, limits(row)?))).collect()
        }

        pub(crate) fn claimed_by_id(rows: &[$row]) -> Result<HashMap<Uuid, Claimed>> {
            rows.iter()
                .map(|row| claimed(row).map(|claimed| (claimed.attempt.execution_id, claimed)))
                .collect()
        }

        pub(crate) fn id(row: &$row, column: &str) -> Result<Option<Uuid>> {
            Ok(row.try_get::<Option<IdColumn>, _>(column)?.map(|id| id.0))
        }

        fn at(row: &$row, column: &str) -> Result<Option<Timestamp>> {
            Ok(row.try_get::<Option<TimeColumn>, _>(column)?.map(|at| at.0))
        }

        fn json(row: &$row, column: &str) -> Result<Option<Box<RawValue>>> {
            Ok(row.try_get::<Option<JsonColumn>, _>(column)?.map(|json| json.0))
        }

        /// What was asked for. A row that somebody wrote by hand may hold anything: then it is `null`, which is
        /// refused where it is read.
        fn request(row: &$row) -> Result<Option<Box<RawValue>>> {
            let text: Option<String> = row.try_get("request")?;
            Ok(text.map(|text| RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())))
        }

        /// The caller as it was written; the column is a copy that a database may have spelled in its own way.
        fn caller(row: &$row, request: Option<&RawValue>) -> Result<Option<Box<RawValue>>> {
            match request.and_then(parts).and_then(|parts| parts.caller) {
                Some(caller) => Ok(Some(caller.to_owned())),
                None => json(row, "caller"),
            }
        }

        /// The parameters, likewise.
        fn parameters(row: &$row, request: Option<&RawValue>) -> Result<Option<Box<RawValue>>> {
            match request.and_then(parts).and_then(|parts| parts.parameters) {
                Some(parameters) => Ok(Some(parameters.to_owned())),
                None => json(row, "parameters"),
            }
        }

        fn idempotency_key(request: Option<&RawValue>) -> Option<String> {
            Some(request.and_then(parts)?.idempotency_key?.into_owned())
        }

        fn number(row: &$row, column: &str) -> Result<u32> {
            row.try_get::<i32, _>(column).map(unsigned)
        }

        fn priority(row: &$row) -> Result<u8> {
            Ok(u8::try_from(number(row, "priority")?).unwrap_or(u8::MAX))
        }

        pub(crate) fn status(row: &$row) -> Result<Status> {
            let text: String = row.try_get("status")?;
            text.parse().map_err(|error| sqlx::Error::ColumnDecode {
                index: "status".to_owned(),
                source: Box::<muster_core::execution::UnknownStatus>::new(error),
            })
        }

        pub(crate) fn attempt(row: &$row) -> Result<Attempt> {
            Ok(Attempt::new(row.try_get::<IdColumn, _>("id")?.0, number(row, "attempt")?))
        }

        pub(crate) fn claimed(row: &$row) -> Result<Claimed> {
            let attempt = attempt(row)?;
            let request = request(row)?.unwrap_or_else(|| RawValue::NULL.to_owned());
            let execution = NewExecution {
                id: attempt.execution_id,
                workflow_id: id(row, "workflow_id")?,
                workflow_name: row.try_get("workflow_name")?,
                organization_id: id(row, "organization_id")?,
                caller: caller(row, Some(&request))?,
                request,
                max_attempts: number(row, "max_attempts")?,
                timeout_seconds: row.try_get("timeout_seconds")?,
                priority: priority(row)?,
                retry_of: id(row, "retry_of")?,
                queue: row.try_get("queue")?,
                is_queue_default: false,
                // What is claimed has waited, and begins in time.
                delay: std::time::Duration::ZERO,
                run_at: None,
                expiry: None,
                idempotency: None,
                // And has room in its limits.
                limits: Vec::new(),
                is_refusable: false,
            };
            Ok(Claimed {
                attempt,
                attempts_charged: number(row, "attempts_charged")?,
                execution: std::sync::Arc::new(execution),
            })
        }

        pub(crate) fn budget(row: &$row) -> Result<AttemptBudget> {
            Ok(AttemptBudget {
                attempt: number(row, "attempt")?,
                attempts_charged: number(row, "attempts_charged")?,
                max_attempts: number(row, "max_attempts")?,
                cancel_requested: row.try_get("cancel_requested")?,
            })
        }

        pub(crate) fn found(row: &$row) -> Result<FoundRow> {
            Ok(FoundRow {
                attempt: attempt(row)?,
                owner: id(row, "lease_owner")?,
                status: status(row)?,
                error_type: row.try_get("error_type")?,
            })
        }

        pub(crate) fn taken_key(row: &$row) -> Result<(Uuid, String)> {
            Ok((required_id(row, "scope")?, row.try_get("key")?))
        }

        pub(crate) fn held_key(row: &$row) -> Result<HeldKey> {
            Ok(HeldKey {
                scope: required_id(row, "scope")?,
                key: row.try_get("key")?,
                execution_id: required_id(row, "execution_id")?,
                fingerprint: row.try_get("fingerprint")?,
            })
        }

        fn candidate(row: &$row) -> Result<Candidate> {
            Ok(Candidate {
                attempt: attempt(row)?,
                previous_owner: id(row, "lease_owner")?,
                budget: budget(row)?,
                is_expired: row.try_get("is_expired")?,
                limits: limits(row)?,
                workflow_id: id(row, "workflow_id")?,
                workflow_name: row.try_get("workflow_name")?,
                organization_id: id(row, "organization_id")?,
            })
        }

        pub(crate) fn cancelled(row: &$row) -> Result<CancelledRow> {
            Ok(CancelledRow {
                row: found(row)?,
                is_tombstone: row.try_get("tombstone")?,
                limits: limits(row)?,
            })
        }

        pub(crate) fn candidates(rows: &[$row]) -> Result<Vec<Candidate>> {
            rows.iter().map(candidate).collect()
        }

        pub(crate) fn long(row: &$row, column: &str) -> Result<u64> {
            Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
        }

        fn most(row: &$row, column: &str) -> Result<Option<u32>> {
            Ok(row.try_get::<Option<i32>, _>(column)?.map(unsigned))
        }

        fn counted(row: &$row, column: &str) -> Result<u32> {
            Ok(u32::try_from(long(row, column)?).unwrap_or(u32::MAX))
        }

        pub(crate) fn held(row: &$row) -> Result<HeldLimit> {
            Ok(HeldLimit { name: row.try_get("name")?, key: row.try_get("key")? })
        }

        pub(crate) fn holder(row: &$row) -> Result<Holder> {
            Ok((required_id(row, "id")?, held(row)?))
        }

        pub(crate) fn holders(row: &$row) -> Result<Vec<Holder>> {
            let id = required_id(row, "id")?;
            Ok(limits(row)?.into_iter().map(|held| (id, held)).collect())
        }

        pub(crate) fn limit_fill(row: &$row) -> Result<LimitFill> {
            Ok(LimitFill {
                held: held(row)?,
                total: most(row, "total")?,
                per_key: most(row, "per_key")?,
                running: counted(row, "running")?,
                running_of_key: counted(row, "running_of_key")?,
                rate: match rate(row)? {
                    Some(rate) => Some(RateState::of(
                        rate,
                        most(row, "rate_burst")?.unwrap_or(1),
                        row.try_get("rate_next_us")?,
                        row.try_get("now_us")?,
                    )),
                    None => None,
                },
            })
        }

        pub(crate) fn entrant(row: &$row) -> Result<Entrant> {
            Ok(Entrant {
                id: required_id(row, "id")?,
                held: held(row)?,
                runs: row.try_get("runs")?,
                is_asked: row.try_get("is_asked")?,
            })
        }

        pub(crate) fn limit_use(row: &$row) -> Result<LimitUse> {
            Ok(LimitUse {
                name: row.try_get("name")?,
                running: long(row, "running")?,
                waiting: long(row, "waiting")?,
            })
        }

        /// How many a limit lets start, where it says so.
        fn rate(row: &$row) -> Result<Option<LimitRate>> {
            let (count, period_us) = (most(row, "rate_count")?, row.try_get::<Option<i64>, _>("rate_period_us")?);
            let rate = |(count, period_us): (u32, i64)| LimitRate {
                count,
                period: std::time::Duration::from_micros(period_us.unsigned_abs()),
            };
            Ok(count.zip(period_us).map(rate))
        }

        /// What a limit says.
        pub(crate) fn limit(row: &$row) -> Result<LimitRecord> {
            let (key, on_full): (String, String) = (row.try_get("key")?, row.try_get("on_full")?);
            let terms = LimitTerms {
                total: most(row, "total")?,
                per_key: most(row, "per_key")?,
                rate: rate(row)?,
                burst: most(row, "rate_burst")?,
                key: key.parse().unwrap_or_default(),
                // What a later version wrote holds at least back.
                on_full: OnFull::of_word(&on_full).unwrap_or_default(),
            };
            Ok(LimitRecord {
                name: row.try_get("name")?,
                terms,
                origin: row.try_get("origin")?,
                created_at: row.try_get::<TimeColumn, _>("created_at")?.0,
                updated_at: row.try_get::<TimeColumn, _>("updated_at")?.0,
            })
        }

        pub(crate) fn limits(row: &$row) -> Result<Vec<HeldLimit>> {
            let limits: Option<String> = row.try_get("limits")?;
            Ok($crate::limits::held_limits(limits.as_deref()))
        }

        pub(crate) fn execution(row: &$row) -> Result<ExecutionRecord> {
            let request = request(row)?;
            Ok(ExecutionRecord {
                id: row.try_get::<IdColumn, _>("id")?.0,
                workflow_id: id(row, "workflow_id")?,
                workflow_name: row.try_get("workflow_name")?,
                organization_id: id(row, "organization_id")?,
                caller: caller(row, request.as_deref())?,
                parameters: parameters(row, request.as_deref())?,
                idempotency_key: idempotency_key(request.as_deref()),
                existing: false,
                request,
                status: status(row)?,
                execution_model: row.try_get("execution_model")?,
                result: json(row, "result")?,
                error_type: row.try_get("error_type")?,
                error_message: row.try_get("error_message")?,
                error_stack: row.try_get("error_stack")?,
                duration_ms: row.try_get("duration_ms")?,
                metrics: json(row, "metrics")?,
                end_cause: json(row, "end_cause")?,
                attempt: number(row, "attempt")?,
                attempts_charged: number(row, "attempts_charged")?,
                max_attempts: number(row, "max_attempts")?,
                timeout_seconds: row.try_get("timeout_seconds")?,
                priority: priority(row)?,
                retry_of: id(row, "retry_of")?,
                queue: row.try_get("queue")?,
                limits: limits(row)?,
                waits_for: row.try_get("waits_for")?,
                expires_at: at(row, "expires_at")?,
                lease_owner: id(row, "lease_owner")?,
                lease_expires_at: at(row, "lease_expires_at")?,
                notified_at: at(row, "notified_at")?,
                cancel_requested_at: at(row, "cancel_requested_at")?,
                run_after: row.try_get::<TimeColumn, _>("run_after")?.0,
                created_at: row.try_get::<TimeColumn, _>("created_at")?.0,
                started_at: at(row, "started_at")?,
                completed_at: at(row, "completed_at")?,
            })
        }

        pub(crate) fn log(row: &$row) -> Result<LogRow> {
            let stream: String = row.try_get("stream")?;
            Ok(LogRow {
                attempt: number(row, "attempt")?,
                line: LogLine {
                    sequence: u64::try_from(row.try_get::<i64, _>("sequence")?).unwrap_or_default(),
                    at_us: row.try_get::<TimeColumn, _>("logged_at")?.0.as_microsecond(),
                    level: row.try_get("level")?,
                    stream: if stream == LogStream::Stderr.as_str() {
                        LogStream::Stderr
                    } else {
                        LogStream::Log
                    },
                    logger: row.try_get("logger")?,
                    message: row.try_get("message")?,
                    fields: json(row, "fields")?,
                },
            })
        }

        pub(crate) fn event(row: &$row) -> Result<EventRow> {
            Ok(EventRow {
                at: row.try_get::<TimeColumn, _>("at")?.0,
                event: row.try_get("event")?,
                attempt: number(row, "attempt")?,
                supervisor: id(row, "supervisor")?,
                detail: json(row, "detail")?,
            })
        }

        pub(crate) fn figures(row: &$row) -> Result<FiguresRecord> {
            Ok(FiguresRecord {
                supervisor: required_id(row, "supervisor")?,
                minutes: u32::try_from(row.try_get::<i64, _>("minutes")?).unwrap_or_default(),
                begins_at: row.try_get::<TimeColumn, _>("begins_at")?.0,
                figures: json_text(row, "figures")?.unwrap_or_else(|| RawValue::NULL.to_owned()),
            })
        }

        pub(crate) fn traced(row: &$row) -> Result<TracedExecution> {
            let events: Option<String> = row.try_get("events")?;
            Ok(TracedExecution {
                id: required_id(row, "id")?,
                workflow_name: row.try_get("workflow_name")?,
                organization_id: id(row, "organization_id")?,
                queue: row.try_get("queue")?,
                status: status(row)?,
                error_type: row.try_get("error_type")?,
                error_message: row.try_get("error_message")?,
                retry_of: id(row, "retry_of")?,
                traceparent: row.try_get("traceparent")?,
                created_at: row.try_get::<TimeColumn, _>("created_at")?.0,
                completed_at: at(row, "completed_at")?,
                events: events_of_column(events.as_deref())
                    .ok_or_else(|| sqlx::Error::Decode("events are no list of events".into()))?,
            })
        }

        pub(crate) fn supervisor(row: &$row) -> Result<SupervisorRecord> {
            Ok(SupervisorRecord {
                id: required_id(row, "id")?,
                host: row.try_get("host")?,
                process_id: u32::try_from(row.try_get::<i64, _>("process_id")?).unwrap_or_default(),
                data_dir: row.try_get("data_dir")?,
                http_address: row.try_get("http_address")?,
                started_at: row.try_get::<TimeColumn, _>("started_at")?.0,
            })
        }

        pub(crate) fn fleet(row: &$row) -> Result<FleetRecord> {
            let micros = |us: i64| std::time::Duration::from_micros(u64::try_from(us).unwrap_or_default());
            Ok(FleetRecord {
                supervisor: supervisor(row)?,
                version: row.try_get("version")?,
                state: json(row, "state")?,
                silent_for: row.try_get::<Option<i64>, _>("silent_us")?.map(micros),
                holds: long(row, "holds")?,
            })
        }

        pub(crate) fn subject(row: &$row) -> Result<SubjectRow> {
            Ok(SubjectRow {
                id: required_id(row, "id")?,
                queue: row.try_get("queue")?,
                workflow_name: row.try_get("workflow_name")?,
                workflow_id: id(row, "workflow_id")?,
                organization_id: id(row, "organization_id")?,
            })
        }

        /// The pauses, a row for each workflow that one is about. A kind that a later version knows is passed over.
        pub(crate) fn pauses(rows: &[$row]) -> Result<Vec<PauseRecord>> {
            let mut pauses: Vec<PauseRecord> = Vec::new();
            for row in rows {
                let (kind, name): (String, String) = (row.try_get("kind")?, row.try_get("name")?);
                let Some(target) = PauseTarget::of(&kind, &name) else { continue };
                let workflow_id = id(row, "workflow_id")?;
                if let Some(last) = pauses.last_mut().filter(|last| last.target == target) {
                    last.workflow_ids.extend(workflow_id);
                    continue;
                }
                pauses.push(PauseRecord {
                    target,
                    who: row.try_get("who")?,
                    why: row.try_get("why")?,
                    since: row.try_get::<TimeColumn, _>("since")?.0,
                    workflow_ids: workflow_id.into_iter().collect(),
                    organization_key: row.try_get("organization_key")?,
                });
            }
            Ok(pauses)
        }

        /// The tokens. One whose role a later version knows is passed over.
        pub(crate) fn tokens(rows: &[$row]) -> Result<Vec<TokenRecord>> {
            let mut tokens = Vec::with_capacity(rows.len());
            for row in rows {
                let role: String = row.try_get("role")?;
                let Ok(role) = role.parse() else { continue };
                tokens.push(TokenRecord {
                    id: required_id(row, "id")?,
                    name: row.try_get("name")?,
                    role,
                    organization_id: id(row, "organization_id")?,
                    organization_key: row.try_get("organization_key")?,
                    hash: row.try_get("hash")?,
                    previous_hash: row.try_get("previous_hash")?,
                    previous_until: at(row, "previous_until")?,
                    created_at: row.try_get::<TimeColumn, _>("created_at")?.0,
                    created_by: row.try_get("created_by")?,
                    rotated_at: at(row, "rotated_at")?,
                    expires_at: at(row, "expires_at")?,
                    last_used_at: at(row, "last_used_at")?,
                });
            }
            Ok(tokens)
        }

        /// A place in the order in which rows were made.
        pub(crate) fn place(row: &$row) -> Result<Cursor> {
            let created_at = row.try_get::<TimeColumn, _>("created_at")?.0;
            Ok(Cursor { created_at, id: required_id(row, "id")? })
        }

        pub(crate) fn waiting_share(row: &$row) -> Result<WaitingShare> {
            Ok(WaitingShare {
                organization_id: id(row, "organization_id")?,
                is_due: row.try_get("is_due")?,
                weight: row.try_get("weight")?,
                used_seconds: row.try_get("used_seconds")?,
            })
        }

        pub(crate) fn workflow(row: &$row) -> Result<WorkflowRecord> {
            Ok(WorkflowRecord {
                id: row.try_get::<IdColumn, _>("id")?.0,
                name: row.try_get("name")?,
                path: row.try_get("path")?,
                function_name: row.try_get("function_name")?,
                language: row.try_get("language")?,
                organization_id: id(row, "organization_id")?,
                timeout_seconds: row.try_get("timeout_seconds")?,
                max_attempts: row.try_get::<Option<i32>, _>("max_attempts")?.map(unsigned),
                is_active: row.try_get("is_active")?,
                admission: admission(row)?,
                retry: parsed(row, "retry")?.unwrap_or_default(),
                webhook: row.try_get("webhook")?,
                retention: RetentionTerms {
                    days: row.try_get("retention_days")?,
                    failed_days: row.try_get("retention_failed_days")?,
                },
            })
        }

        /// What a workflow's row says of admission.
        fn admission(row: &$row) -> Result<WorkflowTerms> {
            let (key, on_full): (Option<String>, Option<String>) =
                (row.try_get("concurrency_key")?, row.try_get("concurrency_on_full")?);
            let concurrency = ConcurrencyTerms {
                total: most(row, "concurrency")?,
                per_key: most(row, "concurrency_per_key")?,
                key: key.and_then(|key| key.parse().ok()).unwrap_or_default(),
                on_full: on_full.and_then(|word| OnFull::of_word(&word)).unwrap_or_default(),
            };
            Ok(WorkflowTerms {
                concurrency: Some(concurrency).filter(ConcurrencyTerms::says_something),
                limits: parsed(row, "limits")?,
                queue: row.try_get("queue")?,
            })
        }

        /// What a column holds as JSON text. What cannot be read, because somebody wrote it by hand, says nothing.
        fn parsed<T: serde::de::DeserializeOwned>(row: &$row, column: &str) -> Result<Option<T>> {
            let text: Option<String> = row.try_get(column)?;
            Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
        }

        pub(crate) fn declared(row: &$row) -> Result<(String, WorkflowTerms)> {
            Ok((row.try_get("name")?, parsed(row, "terms")?.unwrap_or_default()))
        }

        pub(crate) fn organization(row: &$row) -> Result<OrganizationRecord> {
            Ok(OrganizationRecord {
                id: row.try_get::<IdColumn, _>("id")?.0,
                key: row.try_get("key")?,
                name: row.try_get("name")?,
                weight: row.try_get("weight")?,
                is_active: row.try_get("is_active")?,
            })
        }

        pub(crate) fn config(row: &$row) -> Result<ConfigRecord> {
            Ok(ConfigRecord {
                organization_id: id(row, "organization_id")?,
                key: row.try_get("key")?,
                value: row.try_get::<JsonColumn, _>("value")?.0,
                is_secret: row.try_get("is_secret")?,
                key_id: row.try_get("key_id")?,
            })
        }

        pub(crate) fn schedule(row: &$row) -> Result<ScheduleRecord> {
            let seconds = |column: &str| {
                Ok::<_, sqlx::Error>(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
            };
            Ok(ScheduleRecord {
                id: required_id(row, "id")?,
                name: row.try_get("name")?,
                workflow: row.try_get("workflow")?,
                organization_id: id(row, "organization_id")?,
                cron: row.try_get("cron")?,
                time_zone: row.try_get("time_zone")?,
                queue: row.try_get("queue")?,
                parameters: json_text(row, "parameters")?,
                overlap: row.try_get("overlap")?,
                missed: row.try_get("missed")?,
                missed_seconds: seconds("missed_seconds")?,
                jitter_seconds: seconds("jitter_seconds")?,
                is_paused: row.try_get("is_paused")?,
                next_at: at(row, "next_at")?,
                due_at: at(row, "due_at")?,
                last_at: at(row, "last_at")?,
                last_execution: id(row, "last_execution")?,
                last_outcome: row.try_get("last_outcome")?,
            })
        }

        pub(crate) fn ended(row: &$row) -> Result<EndedExecution> {
            Ok(EndedExecution {
                id: required_id(row, "id")?,
                workflow_id: id(row, "workflow_id")?,
                workflow_name: row.try_get("workflow_name")?,
                organization_id: id(row, "organization_id")?,
                created_at: row.try_get::<TimeColumn, _>("created_at")?.0,
                completed_at: row.try_get::<TimeColumn, _>("completed_at")?.0,
                may_go: row.try_get("may_go")?,
            })
        }

        pub(crate) fn pruned(row: &$row) -> Result<PrunedRows> {
            let count = |column: &str| long(row, column);
            Ok(PrunedRows {
                executions: count("executions")?,
                logs: count("logs")?,
                events: count("events")?,
            })
        }

        pub(crate) fn statistics(row: &$row) -> Result<WorkflowStatistics> {
            let count = |column: &str| long(row, column);
            let duration = |column: &str| {
                let found = row.try_get::<Option<i64>, _>(column)?;
                Ok::<_, sqlx::Error>(found.and_then(|duration| u64::try_from(duration).ok()))
            };
            Ok(WorkflowStatistics {
                workflow_name: row.try_get("workflow_name")?,
                oldest: at(row, "oldest")?,
                ended: count("ended")?,
                succeeded: count("succeeded")?,
                failed: count("failed")?,
                cancelled: count("cancelled")?,
                duration_p50_ms: duration("duration_p50_ms")?,
                duration_p95_ms: duration("duration_p95_ms")?,
                last_failed_at: at(row, "last_failed_at")?,
            })
        }

        pub(crate) fn webhook(row: &$row) -> Result<WebhookRecord> {
            Ok(WebhookRecord {
                id: required_id(row, "id")?,
                name: row.try_get("name")?,
                url: row.try_get("url")?,
                events: json_text(row, "events")?,
                workflows: json_text(row, "workflows")?,
                is_paused: row.try_get("is_paused")?,
            })
        }

        pub(crate) fn taken_delivery(row: &$row) -> Result<TakenDelivery> {
            Ok(TakenDelivery {
                execution_id: required_id(row, "execution_id")?,
                webhook_id: required_id(row, "webhook_id")?,
                webhook: row.try_get("webhook")?,
                url: row.try_get("url")?,
                event: row.try_get("event")?,
                attempts: counted(row, "attempts")?,
            })
        }

        pub(crate) fn delivery(row: &$row) -> Result<DeliveryRecord> {
            Ok(DeliveryRecord {
                execution_id: required_id(row, "execution_id")?,
                webhook_id: required_id(row, "webhook_id")?,
                webhook: row.try_get("webhook")?,
                event: row.try_get("event")?,
                attempts: counted(row, "attempts")?,
                created_at: row.try_get::<TimeColumn, _>("created_at")?.0,
                due_at: at(row, "due_at")?,
                delivered_at: at(row, "delivered_at")?,
                last_status: row
                    .try_get::<Option<i64>, _>("last_status")?
                    .and_then(|code| u32::try_from(code).ok()),
                last_error: row.try_get("last_error")?,
                history: json_text(row, "history")?,
                url: row.try_get("url")?,
            })
        }

        pub(crate) fn due_schedule(row: &$row) -> Result<DueSchedule> {
            Ok(DueSchedule {
                schedule: schedule(row)?,
                now: row.try_get::<TimeColumn, _>("now")?.0,
                is_running: row.try_get("is_running")?,
            })
        }

        pub(crate) fn change(row: &$row) -> Result<ChangeRecord> {
            Ok(ChangeRecord {
                number: row.try_get("number")?,
                at: row.try_get::<TimeColumn, _>("at")?.0,
                who: row.try_get("who")?,
                kind: row.try_get("kind")?,
                name: row.try_get("name")?,
                organization: row.try_get("organization")?,
                before: json_text(row, "before")?,
                after: json_text(row, "after")?,
            })
        }

        /// JSON that is kept as text.
        fn json_text(row: &$row, column: &str) -> Result<Option<Box<RawValue>>> {
            let text: Option<String> = row.try_get(column)?;
            Ok(text.map(|text| RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())))
        }

        pub(crate) fn config_entry(row: &$row) -> Result<ConfigEntry> {
            Ok(ConfigEntry {
                organization_id: id(row, "organization_id")?,
                key: row.try_get("key")?,
                value: row.try_get::<JsonColumn, _>("value")?.0,
                is_secret: row.try_get("is_secret")?,
                key_id: row.try_get("key_id")?,
            })
        }
    };
}

pub(crate) use record_readers;
