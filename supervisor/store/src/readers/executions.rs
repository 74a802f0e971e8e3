//! Executions as they are shown, with what happened to them, and who ran them.

/// See [`super::record_readers`].
macro_rules! execution_readers {
    ($row:ty) => {
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
                published_at: at(row, "published_at")?,
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
                    level: row.try_get::<String, _>("level")?.into(),
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
                published_at: at(row, "published_at")?,
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

        /// A place in the order in which rows were made.
        pub(crate) fn place(row: &$row) -> Result<Cursor> {
            let created_at = row.try_get::<TimeColumn, _>("created_at")?.0;
            Ok(Cursor { created_at, id: required_id(row, "id")? })
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
    };
}

pub(crate) use execution_readers;
