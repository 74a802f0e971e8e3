//! What an operator's trigger holds back costs itself only, whatever it calls its refusal.

use muster_tests::eventually;
use serde_json::json;

use crate::world::{SOON, World};

/// The codes a trigger may choose: its own, those of a value, of a right, of a moment, and of a server that leaves.
const CODES: [&str; 8] = ["P0001", "23514", "22P02", "42501", "40001", "55P03", "57014", "57P01"];

/// Holds back the end of each execution whose request holds `refuse-CODE`, with that code.
const HOLD_BACK: &str = "
CREATE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE code text := (SELECT substring(request_text from 'refuse-(.....)') FROM execution_requests WHERE execution_id = NEW.id);
BEGIN
    IF code IS NOT NULL AND NEW.status NOT IN ('PENDING', 'RUNNING') THEN
        RAISE EXCEPTION 'the books are closed' USING ERRCODE = code;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_back BEFORE UPDATE ON executions FOR EACH ROW EXECUTE FUNCTION hold_back()";

#[test]
fn a_row_whose_end_is_refused_holds_up_nobody_and_ends_when_it_may() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    world.record.execute(HOLD_BACK);
    let mut submit = |refuse: Option<&str>| {
        let value = refuse.map(|code| format!("refuse-{code}"));
        world.queue.submit(json!({ "workflow": "echo", "parameters": { "value": value } }))
    };
    let refused: Vec<_> = CODES.iter().map(|code| submit(Some(code))).collect();
    let others: Vec<_> = (0..40).map(|_| submit(None)).collect();
    for id in &others {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS", "a peer is held up");
    }
    eventually("all refused ones are named", SOON, || {
        let log = supervisor.log();
        refused.iter().all(|id| log.lines().any(|line| line.contains("\"ERROR\"") && line.contains(id)))
    });
    let readiness = supervisor.client().get("/readyz");
    assert_eq!(readiness.status, 200, "{}", readiness.body);
    assert!(readiness.body.to_string().contains("the books are closed"), "{}", readiness.body);
    let last = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&last, SOON)["status"], "SUCCESS", "the intake is open");

    // The ends outlive the process that had them.
    assert!(supervisor.terminate(SOON).success(), "what is safe on disk holds up no exit");
    world.record.execute("DROP TRIGGER hold_back ON executions");
    let supervisor = installation.start();
    for id in &refused {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    }
    world.assert_clean(supervisor, &installation);
}
