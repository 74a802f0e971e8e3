//! What is compared: organizations with work of different kinds, on the same workers.

/// Somebody with executions.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) weight: f64,
    /// How long each of its runs takes.
    pub(super) run_ms: u64,
    /// How many wait from the beginning.
    pub(super) backlog: usize,
    /// Its executions are of so many keys of a limit; 0 is without a limit.
    pub(super) keys: usize,
    /// It comes late, again and again, with so many at once.
    pub(super) burst: usize,
}

/// One comparison.
#[derive(Clone, Debug)]
pub(super) struct FairnessCase {
    pub(super) letter: char,
    pub(super) what: &'static str,
    pub(super) organizations: Vec<Contender>,
    /// How far a part of the worker time may be from what it is to be; `None`: it is not looked at.
    pub(super) within: Option<f64>,
    /// How long 95 of 100 of those that come late wait at most, in seconds.
    pub(super) late_p95: Option<f64>,
}

const BASE: Contender = Contender { name: "", weight: 1.0, run_ms: 100, backlog: 0, keys: 0, burst: 0 };

/// All of them.
pub(super) fn all(backlog: usize) -> Vec<FairnessCase> {
    // More than can be run in any time that is measured.
    let enough = 6_000;
    vec![
        FairnessCase {
            letter: 'a',
            what: "one has a backlog, the other comes with ten runs of 200 ms now and then",
            organizations: vec![
                Contender { name: "backlog", run_ms: 200, backlog, ..BASE },
                Contender { name: "ten now and then", run_ms: 200, burst: 10, ..BASE },
            ],
            within: None,
            late_p95: Some(1.0),
        },
        FairnessCase {
            letter: 'b',
            what: "runs of a second beside runs of a tenth of it",
            organizations: vec![
                Contender { name: "long runs", run_ms: 1000, backlog: enough, ..BASE },
                Contender { name: "short runs", backlog: enough, ..BASE },
            ],
            within: Some(0.05),
            late_p95: None,
        },
        FairnessCase {
            letter: 'c',
            what: "one has split its work into a thousand keys of a limit",
            organizations: vec![
                Contender { name: "a thousand keys", backlog: enough, keys: 1_000, ..BASE },
                Contender { name: "one line", backlog: enough, ..BASE },
            ],
            within: Some(0.05),
            late_p95: None,
        },
        FairnessCase {
            letter: 'd',
            what: "weights of 1, 2 and 4",
            organizations: vec![
                Contender { name: "weight 1", run_ms: 150, backlog: enough, ..BASE },
                Contender { name: "weight 2", run_ms: 150, weight: 2.0, backlog: enough, ..BASE },
                Contender { name: "weight 4", run_ms: 150, weight: 4.0, backlog: enough, ..BASE },
            ],
            within: Some(0.05),
            late_p95: None,
        },
    ]
}
