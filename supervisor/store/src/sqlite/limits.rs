//! What is sent about limits within a transaction.

use std::collections::HashSet;

use muster_core::limit::LimitTerms;
use uuid::Uuid;

use super::error::store_error;
use super::read::count;
use super::rows::{WriteRow, write_query};
use super::session::{SqliteSession, array, written as record};
use super::statements;
use crate::Result;
use crate::limits::admission::{LimitFill, WaitsFor};
use crate::limits::on_full::Entrant;
use crate::limits::session::{Holder, LimitSession, LockPatience, RateTimes};
use crate::limits::{HeldLimit, LimitRecord, LimitUse};
use crate::rows::micros;

fn read<T>(rows: &[WriteRow], read: fn(&WriteRow) -> sqlx::Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

impl SqliteSession {
    /// The queues are found one by one in the index, so that it does not matter how many wait in each.
    async fn queue_waited_in(&mut self, waits_for: &str, before: Option<&str>) -> Result<Option<String>> {
        let query = write_query(statements::QUEUE_WAITED_IN).bind(waits_for.to_owned());
        let rows = self.rows(query.bind(before.map(str::to_owned))).await?;
        Ok(read(&rows, |row| row.try_get("queue"))?.pop().flatten())
    }
}

impl LimitSession for SqliteSession {
    /// A transaction has all of the file.
    async fn lock_limits(&mut self, _names: &[&str], _patience: LockPatience) -> Result<()> {
        Ok(())
    }

    async fn limits_named(&mut self, names: &[&str]) -> Result<Vec<LimitRecord>> {
        read(&self.rows(write_query(statements::LIMITS_NAMED).bind(array(names)?)).await?, record::limit)
    }

    async fn all_limits(&mut self) -> Result<Vec<LimitRecord>> {
        read(&self.rows(write_query(statements::LIMITS)).await?, record::limit)
    }

    async fn set_limit(&mut self, name: &str, terms: &LimitTerms, origin: &str) -> Result<LimitRecord> {
        let query = write_query(statements::SET_LIMIT)
            .bind(name.to_owned())
            .bind(terms.total)
            .bind(terms.per_key)
            .bind(terms.key.to_string())
            .bind(origin.to_owned())
            .bind(self.now())
            .bind(terms.on_full.as_str())
            .bind(terms.rate.map(|rate| rate.count))
            .bind(terms.rate.map(|rate| micros(rate.period)))
            .bind(terms.burst);
        let rows = self.rows(query).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound).map_err(store_error)?;
        record::limit(row).map_err(store_error)
    }

    async fn remove_limit(&mut self, name: &str) -> Result<bool> {
        Ok(!self.rows(write_query(statements::REMOVE_LIMIT).bind(name.to_owned())).await?.is_empty())
    }

    async fn limit_fills(&mut self, held: &[HeldLimit]) -> Result<Vec<LimitFill>> {
        read(
            &self.rows(write_query(statements::LIMIT_FILLS).bind(array(held)?).bind(self.now())).await?,
            record::limit_fill,
        )
    }

    async fn hold(&mut self, holders: &[Holder]) -> Result<()> {
        let rows: Vec<_> = holders.iter().map(|(id, held)| (id, &held.name, &held.key)).collect();
        self.run(write_query(statements::HOLD).bind(array(&rows)?)).await
    }

    async fn reserve(&mut self, holders: &[Holder]) -> Result<()> {
        let rows: Vec<_> = holders.iter().map(|(id, held)| (id, &held.name, &held.key)).collect();
        self.run(write_query(statements::RESERVE).bind(array(&rows)?)).await
    }

    async fn entrants(&mut self, whole: &[&str], keyed: &[HeldLimit]) -> Result<Vec<Entrant>> {
        let query = write_query(statements::ENTRANTS).bind(array(whole)?).bind(array(keyed)?);
        read(&self.rows(query).await?, record::entrant)
    }

    async fn put_rates(&mut self, rates: &[(HeldLimit, RateTimes)], wakes: bool) -> Result<()> {
        let rows: Vec<_> = (rates.iter())
            .map(|(held, times)| (&held.name, &held.key, times.next_at_us, times.wake_at_us))
            .collect();
        self.run(write_query(statements::PUT_RATES).bind(array(&rows)?).bind(wakes)).await
    }

    async fn next_rate(&mut self) -> Result<Option<i64>> {
        let rows = self.rows(write_query(statements::NEXT_RATE).bind(self.now())).await?;
        Ok(read(&rows, |row| row.try_get("wait_us"))?.pop().flatten())
    }

    async fn due_rates(&mut self, most: usize) -> Result<Vec<HeldLimit>> {
        let query = write_query(statements::DUE_RATES).bind(count(most)).bind(self.now());
        read(&self.rows(query).await?, record::held)
    }

    async fn forget_rates(&mut self, most: usize) -> Result<usize> {
        let query = write_query(statements::FORGET_RATES).bind(count(most)).bind(self.now());
        Ok(self.rows(query).await?.len())
    }

    async fn park(&mut self, rows: &[(Uuid, WaitsFor)]) -> Result<()> {
        let rows: Vec<_> = rows.iter().map(|(id, waits_for)| (id, waits_for.to_string())).collect();
        self.run(write_query(statements::PARK).bind(array(&rows)?)).await
    }

    async fn release(&mut self, ids: &[Uuid]) -> Result<()> {
        self.run(write_query(statements::BACK_IN_LIMITS).bind(array(ids)?)).await?;
        self.run(write_query(statements::RELEASE).bind(array(ids)?)).await
    }

    async fn let_go(&mut self, room: &[(WaitsFor, u32)]) -> Result<usize> {
        let mut gone = 0;
        for (waits_for, room) in room {
            let waits_for = waits_for.to_string();
            let mut queue = self.queue_waited_in(&waits_for, None).await?;
            while let Some(name) = queue {
                let query = write_query(statements::LET_GO).bind(waits_for.clone()).bind(name.clone());
                gone += self.rows(query.bind(*room)).await?.len();
                queue = self.queue_waited_in(&waits_for, Some(&name)).await?;
            }
        }
        Ok(gone)
    }

    async fn waited_for(&mut self, asked: &[WaitsFor]) -> Result<HashSet<String>> {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let rows = self.rows(write_query(statements::WAITED_FOR).bind(array(&asked)?)).await?;
        Ok(read(&rows, |row| row.try_get("waits_for"))?.into_iter().collect())
    }

    async fn waited_for_between(&mut self, from: &str, to: &str, most: usize) -> Result<Vec<String>> {
        let query = write_query(statements::WAITED_FOR_BETWEEN).bind(from.to_owned()).bind(to.to_owned());
        read(&self.rows(query.bind(count(most))).await?, |row| row.try_get("waits_for"))
    }

    async fn left_holders(&mut self, most: usize) -> Result<Vec<Holder>> {
        read(&self.rows(write_query(statements::LEFT_HOLDERS).bind(count(most))).await?, record::holder)
    }

    async fn unnoted_holders(&mut self, most: usize) -> Result<Vec<Holder>> {
        let rows = self.rows(write_query(statements::UNNOTED_HOLDERS).bind(count(most))).await?;
        Ok(read(&rows, record::holders)?.into_iter().flatten().collect())
    }

    async fn limit_uses(&mut self) -> Result<Vec<LimitUse>> {
        read(&self.rows(write_query(statements::LIMIT_USES)).await?, record::limit_use)
    }

    async fn holders_of(&mut self, name: &str, key: Option<&str>, most: usize) -> Result<Vec<Uuid>> {
        let query = write_query(statements::HOLDERS_OF).bind(name.to_owned()).bind(key.map(str::to_owned));
        read(&self.rows(query.bind(count(most))).await?, |row| record::required_id(row, "id"))
    }

    async fn before_at_limit(&mut self, id: Uuid, waits_for: &WaitsFor) -> Result<u64> {
        let query = write_query(statements::BEFORE_AT_LIMIT).bind(id.to_string()).bind(waits_for.to_string());
        let rows = self.rows(query).await?;
        Ok(read(&rows, |row| record::long(row, "before"))?.into_iter().sum())
    }
}
