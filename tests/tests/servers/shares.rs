//! Two ways into one supervisor, the broker's queue and waiting rows: each gets its share of the slots.

use std::collections::BTreeSet;

use muster_tests::eventually;
use serde_json::json;
use uuid::Uuid;

use crate::world::{SOON, World, behind_gate, open_gate};

/// Of each kind: enough to fill the slots for a long while.
const EACH: usize = 150;

#[test]
fn neither_the_queue_nor_waiting_rows_starve() {
    let mut world = World::shared();
    // No worker starts before the gate opens: both lines are full when the first slot comes free.
    let installation = behind_gate(world.installation()).setting("min_workers", 2).setting("max_workers", 2);
    let supervisor = installation.spawn();
    supervisor.wait_ready(SOON);
    let request = json!({ "workflow": "sleep", "parameters": { "ms": 20 } });
    let queued: BTreeSet<_> = (0..EACH).map(|_| world.queue.submit(request.clone())).collect();
    let waiting: BTreeSet<_> = (0..EACH).map(|_| Uuid::now_v7().to_string()).collect();
    let rows: Vec<_> = waiting.iter().map(|id| format!("('{id}')")).collect();
    world.record.execute(&format!(
        "INSERT INTO executions (id, workflow_name, request, parameters, status, run_after, created_at)
         SELECT id::uuid, 'sleep', jsonb_set('{request}', '{{execution_id}}', to_jsonb(id)), '{{}}', 'PENDING',
            clock_timestamp(), clock_timestamp()
         FROM (VALUES {}) AS new (id)",
        rows.join(", ")
    ));
    // As every submit does. A poll that is not told looks once a second only, and the queue would have that for itself.
    world.record.execute("SELECT pg_notify('muster_pending', '')");
    open_gate(&installation);
    eventually("half of them have ended", SOON * 3, || {
        world.record.count("executions WHERE completed_at IS NOT NULL") >= EACH as u64
    });
    let order = "ORDER BY completed_at, id LIMIT";
    let first = world.record.select(&format!("SELECT id FROM executions {order} {EACH}"));
    let of_queue = first.iter().filter(|row| queued.contains(row["id"].as_str().unwrap())).count();
    assert!(
        (EACH / 5..EACH - EACH / 5).contains(&of_queue),
        "{of_queue} of the first {EACH} came by the queue"
    );
    for id in queued.iter().chain(&waiting) {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    world.assert_clean(supervisor, &installation);
}
