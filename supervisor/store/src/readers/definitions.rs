//! What is defined, with its changes, and what is told to webhooks.

/// See [`super::record_readers`].
macro_rules! definition_readers {
    ($row:ty) => {
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

        fn unreadable_executions(schedule: &str, error: &serde_json::Error) -> sqlx::Error {
            let message =
                format!("which executions of the schedule {schedule:?} are not over cannot be read: {error}");
            sqlx::Error::Decode(message.into())
        }

        pub(crate) fn due_schedule(row: &$row) -> Result<DueSchedule> {
            let schedule = schedule(row)?;
            let unfinished = serde_json::from_str(&row.try_get::<String, _>("unfinished")?);
            Ok(DueSchedule {
                // To run beside one that nobody can read would be against its rule of overlaps.
                unfinished: unfinished.map_err(|error| unreadable_executions(&schedule.name, &error))?,
                schedule,
                now: row.try_get::<TimeColumn, _>("now")?.0,
                ended_at: at(row, "ended_at")?,
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

pub(crate) use definition_readers;
