//! Limits, who is in them, and pauses.

/// See [`super::record_readers`].
macro_rules! limit_readers {
    ($row:ty) => {
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
                organization_id: row.try_get::<Option<IdColumn>, _>("organization_id")?.map(|id| id.0),
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
            let (count, period_us) =
                (most(row, "rate_count")?, row.try_get::<Option<i64>, _>("rate_period_us")?);
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
    };
}

pub(crate) use limit_readers;
