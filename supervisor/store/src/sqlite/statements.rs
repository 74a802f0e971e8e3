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
    BUDGETS = "budgets",
    CANCEL = "cancel",
    CLAIM = "claim",
    CLAIMED_BY = "claimed_by",
    CONFIG = "config",
    DELETE_EVENTS = "delete_events",
    DELETE_STATE = "delete_state",
    DUE = "due",
    END_UNCLAIMED = "end_unclaimed",
    EVENTS = "events",
    EXECUTION = "execution",
    EXECUTIONS = "executions",
    EXECUTIONS_BY_ID = "executions_by_id",
    FAIL_UNUSABLE = "fail_unusable",
    FINISH = "finish",
    INSERT_EVENTS = "insert_events",
    INSERT_LOGS = "insert_logs",
    LOGS = "logs",
    LOST = "lost",
    MARK_NOTIFIED = "mark_notified",
    NEXT_DUE = "next_due",
    ORGANIZATION = "organization",
    OVERDUE = "overdue",
    QUEUE_DEPTH = "queue_depth",
    RECORD_STARTED = "record_started",
    RENEW = "renew",
    REOPEN_UNUSABLE = "reopen_unusable",
    REQUEUE = "requeue",
    SET_STATE = "set_state",
    STANDING = "standing",
    STATE = "state",
    UNHELD = "unheld",
    SUBMIT = "submit",
    TAKE = "take",
    UNNOTIFIED = "unnotified",
    WORKFLOW = "workflow",
    WORKFLOW_NAMED = "workflow_named",
}
