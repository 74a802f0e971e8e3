//! What is sent about limits within a transaction.

use std::collections::{BTreeSet, HashSet};

use muster_core::limit::LimitTerms;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::columns::{column, signed};
use super::error::store_error;
use super::read::count;
use super::session::record;
use super::statements;
use super::transaction::PgSession;
use crate::Result;
use crate::limits::admission::{LimitFill, WaitsFor};
use crate::limits::on_full::Entrant;
use crate::limits::session::{Holder, LimitSession, LockPatience, RateTimes};
use crate::limits::{HeldLimit, LimitRecord, LimitUse};
use crate::rows::micros;

fn read<T>(rows: &[PgRow], read: fn(&PgRow) -> sqlx::Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

/// The key of the lock of a limit: the first bytes of FNV-1a, the same in every version. Two limits with one key wait for
/// each other, and nothing worse.
fn lock_key(name: &str) -> i32 {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed()
}

/// How long limits are waited for, and what the transaction locks once it has them, as the server's `lock_timeout` says it.
const fn lock_timeouts(patience: LockPatience) -> (&'static str, &'static str) {
    const SHORT: &str = "500ms";
    const LONG: &str = "8s";
    match patience {
        LockPatience::Short => (SHORT, SHORT),
        LockPatience::First => (LONG, SHORT),
        LockPatience::Long => (LONG, LONG),
    }
}

impl LimitSession for PgSession {
    async fn lock_limits(&mut self, names: &[&str], patience: LockPatience) -> Result<()> {
        let keys: BTreeSet<i32> = names.iter().map(|name| lock_key(name)).collect();
        let (of_limits, afterwards) = lock_timeouts(patience);
        let query = sqlx::query(statements::LOCK_LIMITS).bind(Vec::from_iter(keys));
        self.run(query.bind(of_limits).bind(afterwards)).await
    }

    async fn limits_named(&mut self, names: &[&str]) -> Result<Vec<LimitRecord>> {
        read(&self.rows(sqlx::query(statements::LIMITS_NAMED).bind(names)).await?, record::limit)
    }

    async fn all_limits(&mut self) -> Result<Vec<LimitRecord>> {
        read(&self.rows(sqlx::query(statements::LIMITS)).await?, record::limit)
    }

    async fn set_limit(&mut self, name: &str, terms: &LimitTerms, origin: &str) -> Result<LimitRecord> {
        let query = sqlx::query(statements::SET_LIMIT)
            .bind(name.to_owned())
            .bind(terms.total.map(signed))
            .bind(terms.per_key.map(signed))
            .bind(terms.key.to_string())
            .bind(origin.to_owned())
            .bind(terms.on_full.as_str())
            .bind(terms.rate.map(|rate| signed(rate.count)))
            .bind(terms.rate.map(|rate| micros(rate.period)))
            .bind(terms.burst.map(signed));
        let rows = self.rows(query).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound).map_err(store_error)?;
        record::limit(row).map_err(store_error)
    }

    async fn remove_limit(&mut self, name: &str) -> Result<bool> {
        Ok(!self.rows(sqlx::query(statements::REMOVE_LIMIT).bind(name.to_owned())).await?.is_empty())
    }

    async fn limit_fills(&mut self, held: &[HeldLimit]) -> Result<Vec<LimitFill>> {
        let query = sqlx::query(statements::LIMIT_FILLS)
            .bind(column(held, |held| held.name.as_str()))
            .bind(column(held, |held| held.key.as_str()));
        read(&self.rows(query).await?, record::limit_fill)
    }

    async fn hold(&mut self, holders: &[Holder]) -> Result<()> {
        let query = sqlx::query(statements::HOLD)
            .bind(column(holders, |(id, _)| *id))
            .bind(column(holders, |(_, held)| held.name.as_str()))
            .bind(column(holders, |(_, held)| held.key.as_str()));
        self.run(query).await
    }

    async fn reserve(&mut self, holders: &[Holder]) -> Result<()> {
        let query = sqlx::query(statements::RESERVE)
            .bind(column(holders, |(id, _)| *id))
            .bind(column(holders, |(_, held)| held.name.as_str()))
            .bind(column(holders, |(_, held)| held.key.as_str()));
        self.run(query).await
    }

    async fn entrants(&mut self, whole: &[&str], keyed: &[HeldLimit]) -> Result<Vec<Entrant>> {
        let query = sqlx::query(statements::ENTRANTS)
            .bind(whole)
            .bind(column(keyed, |held| held.name.as_str()))
            .bind(column(keyed, |held| held.key.as_str()));
        read(&self.rows(query).await?, record::entrant)
    }

    async fn put_rates(&mut self, rates: &[(HeldLimit, RateTimes)], wakes: bool) -> Result<()> {
        let query = sqlx::query(statements::PUT_RATES)
            .bind(column(rates, |(held, _)| held.name.as_str()))
            .bind(column(rates, |(held, _)| held.key.as_str()))
            .bind(column(rates, |(_, times)| times.next_at_us))
            .bind(column(rates, |(_, times)| times.wake_at_us))
            .bind(wakes);
        self.run(query).await
    }

    async fn next_rate(&mut self) -> Result<Option<i64>> {
        let rows = self.rows(sqlx::query(statements::NEXT_RATE)).await?;
        Ok(read(&rows, |row| row.try_get("wait_us"))?.pop().flatten())
    }

    async fn due_rates(&mut self, most: usize) -> Result<Vec<HeldLimit>> {
        read(&self.rows(sqlx::query(statements::DUE_RATES).bind(count(most))).await?, record::held)
    }

    async fn forget_rates(&mut self, most: usize) -> Result<usize> {
        Ok(self.rows(sqlx::query(statements::FORGET_RATES).bind(count(most))).await?.len())
    }

    async fn park(&mut self, rows: &[(Uuid, WaitsFor)]) -> Result<()> {
        let query = sqlx::query(statements::PARK)
            .bind(column(rows, |(id, _)| *id))
            .bind(column(rows, |(_, waits_for)| waits_for.to_string()));
        self.run(query).await
    }

    async fn release(&mut self, ids: &[Uuid]) -> Result<()> {
        self.run(sqlx::query(statements::RELEASE).bind(ids)).await
    }

    async fn let_go(&mut self, room: &[(WaitsFor, u32)]) -> Result<usize> {
        let query = sqlx::query(statements::LET_GO)
            .bind(column(room, |(waits_for, _)| waits_for.to_string()))
            .bind(column(room, |(_, room)| i64::from(*room)));
        Ok(self.rows(query).await?.len())
    }

    async fn waited_for(&mut self, asked: &[WaitsFor]) -> Result<HashSet<String>> {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let rows = self.rows(sqlx::query(statements::WAITED_FOR).bind(asked)).await?;
        Ok(read(&rows, |row| row.try_get("waits_for"))?.into_iter().collect())
    }

    async fn waited_for_between(&mut self, from: &str, to: &str, most: usize) -> Result<Vec<String>> {
        let query = sqlx::query(statements::WAITED_FOR_BETWEEN).bind(from.to_owned()).bind(to.to_owned());
        read(&self.rows(query.bind(count(most))).await?, |row| row.try_get("waits_for"))
    }

    async fn left_holders(&mut self, most: usize) -> Result<Vec<Holder>> {
        read(&self.rows(sqlx::query(statements::LEFT_HOLDERS).bind(count(most))).await?, record::holder)
    }

    async fn unnoted_holders(&mut self, most: usize) -> Result<Vec<Holder>> {
        let rows = self.rows(sqlx::query(statements::UNNOTED_HOLDERS).bind(count(most))).await?;
        Ok(read(&rows, record::holders)?.into_iter().flatten().collect())
    }

    async fn limit_uses(&mut self) -> Result<Vec<LimitUse>> {
        read(&self.rows(sqlx::query(statements::LIMIT_USES)).await?, record::limit_use)
    }

    async fn holders_of(&mut self, name: &str, key: Option<&str>, most: usize) -> Result<Vec<Uuid>> {
        let query = sqlx::query(statements::HOLDERS_OF).bind(name.to_owned()).bind(key.map(str::to_owned));
        read(&self.rows(query.bind(count(most))).await?, |row| record::required_id(row, "id"))
    }

    async fn before_at_limit(&mut self, id: Uuid, waits_for: &WaitsFor) -> Result<u64> {
        let query = sqlx::query(statements::BEFORE_AT_LIMIT).bind(id).bind(waits_for.to_string());
        let rows = self.rows(query).await?;
        Ok(read(&rows, |row| record::long(row, "before"))?.into_iter().sum())
    }
}
