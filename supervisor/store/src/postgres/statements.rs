//! Every statement of this adapter, each in a file of its own. What is not listed here is never sent, and
//! all of them are prepared by a test and by `doctor`.

macro_rules! statements {
    ($($name:ident = $file:literal,)*) => {
        $(pub(super) const $name: &str = include_str!(concat!("sql/", $file, ".sql"));)*

        /// All of them, by the names of their files.
        pub(super) const ALL: &[(&str, &str)] = &[$(($file, $name)),*];
    };
}

statements! {
    BEAT = "beat",
    BUDGETS = "budgets",
    CANCEL = "cancel",
    CANDIDATES = "candidates",
    CLAIM = "claim",
    CLAIMED_BY = "claimed_by",
    CONFIG = "config",
    DELETE_EVENTS = "delete_events",
    DELETE_STATE = "delete_state",
    END_SESSION = "end_session",
    END_UNCLAIMED = "end_unclaimed",
    EVENTS = "events",
    EXECUTION = "execution",
    EXECUTIONS = "executions",
    EXECUTIONS_BY_ID = "executions_by_id",
    FAIL_UNUSABLE = "fail_unusable",
    FINISH = "finish",
    INSERT_EVENTS = "insert_events",
    INSERT_LOGS = "insert_logs",
    LOCKED = "locked",
    LOCKED_STATE = "locked_state",
    LOGS = "logs",
    MARK_NOTIFIED = "mark_notified",
    MISSING_RIGHTS = "missing_rights",
    NEXT_DUE = "next_due",
    ORGANIZATION = "organization",
    OTHERS = "others",
    OVERDUE = "overdue",
    PROBE = "probe",
    PROBE_BEAT = "probe_beat",
    QUEUE_DEPTH = "queue_depth",
    RECORD_PRESENCE = "record_presence",
    RECORD_STARTED = "record_started",
    RENEW = "renew",
    RENEW_LOCKED = "renew_locked",
    RENEW_SESSIONS = "renew_sessions",
    REOPEN_UNUSABLE = "reopen_unusable",
    REQUEUE = "requeue",
    SET_STATE = "set_state",
    STANDING = "standing",
    STATE = "state",
    STILL_DEAD = "still_dead",
    UNHELD = "unheld",
    SUBMIT = "submit",
    TAKE = "take",
    UNNOTIFIED = "unnotified",
    WAKE = "wake",
    WORKFLOW = "workflow",
    WORKFLOW_NAMED = "workflow_named",
}
