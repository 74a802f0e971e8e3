//! Idempotency keys: of several submits with one key, in one organization, one becomes an execution.
//!
//! The key is given away in the transaction that writes the row, so a key stands for a row that is there; whoever
//! comes meanwhile waits for that commit. Requests without a key come by here without a statement.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use muster_core::execution::Status;
use uuid::Uuid;

use super::statuses;
use crate::rows::{KeyRow, micros};
use crate::session::StoreSession;
use crate::{Idempotency, NewExecution, Result, Submitted};

/// How long a key is remembered when nobody says.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// A key in its scope: the organization, or the zero id for none.
type KeyPlace = (Uuid, String);

/// Whose the keys of some requests are.
#[derive(Default)]
pub(super) struct KnownKeys {
    holders: HashMap<KeyPlace, KeyHolder>,
}

/// The execution that a key stands for.
struct KeyHolder {
    id: Uuid,
    fingerprint: String,
    /// `None`: it was given the key just now, and its row is not written yet.
    status: Option<Status>,
}

impl KnownKeys {
    /// The answer to a request whose key belongs to another, or did before; `None` when its row is to be written.
    pub(super) fn answer(&self, new: &NewExecution) -> Option<Submitted> {
        let (place, idempotency) = place(new)?;
        let holder = self.holders.get(&place)?;
        if holder.fingerprint != idempotency.fingerprint {
            return Some(Submitted::KeyReused { id: holder.id });
        }
        match holder.status {
            Some(status) => Some(Submitted::Existing { id: holder.id, status }),
            None if holder.id == new.id => None,
            None => Some(Submitted::Existing { id: holder.id, status: Status::Pending }),
        }
    }

    /// Whether it was given its key just now.
    pub(super) fn is_given(&self, new: &NewExecution) -> bool {
        let holder = place(new).and_then(|(place, _)| self.holders.get(&place));
        holder.is_some_and(|holder| holder.status.is_none() && holder.id == new.id)
    }
}

fn place(new: &NewExecution) -> Option<(KeyPlace, &Idempotency)> {
    let idempotency = new.idempotency.as_deref()?;
    Some(((new.organization_id.unwrap_or_default(), idempotency.key.clone()), idempotency))
}

/// Gives the keys of these requests to them, where they are free, and says whose they are.
pub(super) async fn settle_keys<S: StoreSession, T: Borrow<NewExecution>>(
    session: &mut S,
    executions: &[T],
) -> Result<KnownKeys> {
    // The first of a group that names a key asks for it. In the order of the keys: transactions wait in one order.
    let mut wanted: BTreeMap<KeyPlace, (Uuid, &Idempotency)> = BTreeMap::new();
    // Of several with one id the first becomes the row, and no key of the others stands for that.
    let mut ids = HashSet::new();
    for new in executions.iter().map(Borrow::borrow) {
        if ids.insert(new.id)
            && let Some((place, idempotency)) = place(new)
        {
            wanted.entry(place).or_insert((new.id, idempotency));
        }
    }
    if wanted.is_empty() {
        return Ok(KnownKeys::default());
    }
    let rows: Vec<KeyRow<'_>> =
        wanted.iter().map(|(place, (id, idempotency))| key_row(place, *id, idempotency)).collect();
    let mut known = look_up(session, &rows, &[]).await?;
    // Rows are deleted when they are old: what their keys stood for is not there to be answered with.
    let gone: Vec<Uuid> = known.gone;
    if !gone.is_empty() {
        known = look_up(session, &rows, &gone).await?;
    }
    Ok(known.keys)
}

struct LookUp {
    keys: KnownKeys,
    /// Executions that have a key, and no row any more.
    gone: Vec<Uuid>,
}

async fn look_up<S: StoreSession>(session: &mut S, rows: &[KeyRow<'_>], gone: &[Uuid]) -> Result<LookUp> {
    let taken = session.take_keys(rows, gone).await?;
    let held = session.held_keys(rows).await?;
    let is_new = |scope: Uuid, key: &str| taken.contains(&(scope, key.to_owned()));
    let before: Vec<Uuid> =
        held.iter().filter(|held| !is_new(held.scope, &held.key)).map(|held| held.execution_id).collect();
    let found = if before.is_empty() { Vec::new() } else { session.current_state(&before).await? };
    let found = statuses(&found);
    let mut answer = LookUp { keys: KnownKeys::default(), gone: Vec::new() };
    for held in held {
        let status = found.get(&held.execution_id).copied();
        if status.is_none() && !is_new(held.scope, &held.key) {
            answer.gone.push(held.execution_id);
            continue;
        }
        let holder = KeyHolder { id: held.execution_id, fingerprint: held.fingerprint, status };
        answer.keys.holders.insert((held.scope, held.key), holder);
    }
    Ok(answer)
}

fn key_row<'a>((scope, key): &'a KeyPlace, execution_id: Uuid, idempotency: &'a Idempotency) -> KeyRow<'a> {
    KeyRow {
        scope: *scope,
        key,
        execution_id,
        fingerprint: &idempotency.fingerprint,
        lifetime_us: micros(idempotency.lifetime.unwrap_or(LIFETIME)),
    }
}
