//! What a claim of waiting rows costs in PostgreSQL: alone, beside a million rows behind a full limit, and where ten
//! thousand organizations have something waiting.

use std::time::{Duration, Instant};

use muster_store::{Claimant, PostgresStore, SchemaStore as _, ServedQueues, Store, TakeOver};
use muster_tests::{Record, Services};

/// So many rows are taken at once.
const AT_ONCE: usize = 64;
const QUEUE: &str = "bench";
/// The first ones open connections and make plans.
const WARM_UP: usize = 5;
/// After so many looks in vain there is nothing.
const LOOKS_MAX: usize = 100;

/// Measures all of it and prints a table.
pub(crate) fn run(claims: usize, behind: usize, organizations: usize) -> anyhow::Result<()> {
    let services = Services::private();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = format!("{:58} {:>9} {:>9}\n", "claim of 64 rows", "p50 ms", "p99 ms");
    let mut row = |what: &str, times: &[Duration]| {
        let at =
            |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
        table.push_str(&format!("{what:58} {:9.2} {:9.2}\n", at(50), at(99)));
    };
    // Both in one database, in turns: first without, then with, then without again.
    let place = ClaimedDatabase::new(&services, &runtime)?;
    place.waiting((claims + WARM_UP) * AT_ONCE * 3, 1);
    let before = place.claims(&runtime, claims)?;
    place.behind_a_full_limit(behind);
    let beside = place.claims(&runtime, claims)?;
    place.record.execute("DELETE FROM executions WHERE waits_for IS NOT NULL");
    place.settled();
    let after = place.claims(&runtime, claims)?;
    row("nothing else waits", &before);
    row(&format!("{behind} rows wait behind a full limit"), &beside);
    row("nothing else waits, again", &after);
    let place = ClaimedDatabase::new(&services, &runtime)?;
    place.waiting((claims + WARM_UP) * AT_ONCE + organizations * 4, organizations);
    row(&format!("{organizations} organizations wait"), &place.claims(&runtime, claims)?);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    table.push_str(&format!("load {}\n", load.trim()));
    use std::io::Write as _;
    Ok(std::io::stdout().write_all(table.as_bytes())?)
}

struct ClaimedDatabase {
    store: PostgresStore,
    record: Record,
}

impl ClaimedDatabase {
    fn new(services: &Services, runtime: &tokio::runtime::Runtime) -> anyhow::Result<Self> {
        let backends = services.fresh();
        let store = runtime.block_on(async {
            let store = PostgresStore::new(&backends.database_url)?;
            store.migrate().await.map(|_| store)
        })?;
        Ok(Self { store, record: Record::of(&backends) })
    }

    /// Rows that may start, of so many organizations in turn.
    fn waiting(&self, rows: usize, organizations: usize) {
        self.insert(rows, &format!("lpad(to_hex(n % {organizations}), 32, '0')::uuid"), "NULL");
        self.settled();
    }

    fn behind_a_full_limit(&self, rows: usize) {
        self.record.execute(
            "INSERT INTO limits (name, total, created_at, updated_at) VALUES ('full', 0, now(), now())",
        );
        self.insert(rows, "NULL::uuid", "'limit:full'");
        self.settled();
    }

    fn insert(&self, rows: usize, organization: &str, waits_for: &str) {
        self.record.execute(&format!(
            "INSERT INTO executions (
                id, workflow_name, organization_id, request, parameters, status, max_attempts, priority, queue, waits_for,
                run_after, created_at
             )
             SELECT id, 'w', {organization}, jsonb_build_object('execution_id', id, 'workflow', 'w', 'parameters', 1), '1',
                'PENDING', 3, 0, '{QUEUE}', {waits_for}, now() - interval '1 hour' + n * interval '1 millisecond', now()
             FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {rows}) AS n) AS new"
        ));
    }

    /// What a server that has had these rows for long knows of them.
    fn settled(&self) {
        self.record.execute("VACUUM ANALYZE executions");
        self.record.execute("CHECKPOINT");
    }

    /// How long claims take, the shortest first. What was claimed stays so.
    fn claims(&self, runtime: &tokio::runtime::Runtime, count: usize) -> anyhow::Result<Vec<Duration>> {
        let me = Claimant::new(Duration::from_secs(600), ServedQueues::of([QUEUE]));
        let store: &dyn Store = &self.store;
        runtime.block_on(async {
            let mut times = Vec::with_capacity(count);
            for _ in 0..count + WARM_UP {
                let started = Instant::now();
                let mut taken = 0;
                // A claim that offered its starts to those who have nothing any more looks again, as a poll does.
                let mut looks = 0;
                while taken < AT_ONCE {
                    let due = store.claim_due(&me, AT_ONCE - taken, TakeOver::Nothing).await?;
                    looks += 1;
                    anyhow::ensure!(!due.claimed.is_empty() || looks < LOOKS_MAX, "nothing is left to claim");
                    taken += due.claimed.len();
                }
                times.push(started.elapsed());
            }
            let mut times = times.split_off(WARM_UP);
            times.sort();
            Ok(times)
        })
    }
}
