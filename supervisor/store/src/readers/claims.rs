//! What claims, cancels and ends go by, and how they are found again.

/// See [`super::record_readers`].
macro_rules! claim_readers {
    ($row:ty) => {
        pub(crate) fn written(rows: &[$row]) -> Result<WrittenAttempts> {
            rows.iter().map(|row| Ok((attempt(row)?, limits(row)?))).collect()
        }

        pub(crate) fn claimed_by_id(rows: &[$row]) -> Result<HashMap<Uuid, Claimed>> {
            rows.iter()
                .map(|row| claimed(row).map(|claimed| (claimed.attempt.execution_id, claimed)))
                .collect()
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

        /// The parameters: a part of the request, and `{}` where it says none. What earlier versions wrote has a column of
        /// them, too, and a row that somebody wrote by hand may have only that.
        fn parameters(row: &$row, request: Option<&RawValue>) -> Result<Option<Box<RawValue>>> {
            let Some(parts) = request.and_then(parts) else { return json(row, "parameters") };
            match parts.parameters {
                Some(parameters) => Ok(Some(parameters.to_owned())),
                None => Ok(json(row, "parameters")?.or_else(|| RawValue::from_string("{}".to_owned()).ok())),
            }
        }

        fn idempotency_key(request: Option<&RawValue>) -> Option<String> {
            Some(request.and_then(parts)?.idempotency_key?.into_owned())
        }

        pub(crate) fn attempt(row: &$row) -> Result<Attempt> {
            Ok(Attempt::new(row.try_get::<IdColumn, _>("id")?.0, number(row, "attempt")?))
        }

        pub(crate) fn renewed(row: &$row) -> Result<RenewedRow> {
            Ok(RenewedRow {
                attempt: attempt(row)?,
                cancel_requested: row.try_get("cancel_requested")?,
                cancel_reason: row.try_get("cancel_reason")?,
            })
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
                published_at: None,
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

        pub(crate) fn waiting_share(row: &$row) -> Result<WaitingShare> {
            Ok(WaitingShare {
                organization_id: id(row, "organization_id")?,
                is_due: row.try_get("is_due")?,
                weight: row.try_get("weight")?,
                used_seconds: row.try_get("used_seconds")?,
            })
        }
    };
}

pub(crate) use claim_readers;
