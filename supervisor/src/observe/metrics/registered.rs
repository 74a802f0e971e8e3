//! The names of the series with their help.

use prometheus_client::registry::Unit;

use super::SupervisorMetrics;

impl SupervisorMetrics {
    pub(super) fn register_events(&mut self) {
        let registry = &mut self.registry;
        registry.register("build_info", "The version of this supervisor; always 1", self.build.clone());
        registry.register(
            "workflow_executions_finished",
            "Executions that reached a terminal state, by workflow; beyond 200 workflows together",
            self.finished_by_workflow.clone(),
        );
        registry.register(
            "dead_letters",
            "Messages that could not be used and are among the dead letters",
            self.dead_letters.clone(),
        );
        registry.register(
            "executions_pruned",
            "Executions that ended long ago and were removed",
            self.pruned.clone(),
        );
        registry.register(
            "traces_sent",
            "Executions whose traces the collector has taken",
            self.traces_sent.clone(),
        );
        registry.register(
            "traces_dropped",
            "Executions whose traces were left out, because the collector did not take them or was too slow",
            self.traces_dropped.clone(),
        );
        registry.register(
            "log_lines_dropped",
            "Lines of the supervisor's own log that were dropped, because whoever reads them stood still",
            self.log_lines_dropped.clone(),
        );
        registry.register(
            "executions_finished",
            "Executions that reached a terminal state",
            self.finished.clone(),
        );
        registry.register(
            "attempts_requeued",
            "Attempts that went back to be claimed again",
            self.requeued.clone(),
        );
        registry.register(
            "attempts_superseded",
            "Attempts that were somebody else's when they ended",
            self.superseded.clone(),
        );
        registry.register(
            "worker_deaths",
            "Workers that ended and were not meant to, by what ended them",
            self.worker_deaths.clone(),
        );
        let seconds = || Unit::Seconds;
        registry.register_with_unit(
            "execution",
            "From Started to the end of a run",
            seconds(),
            self.run_seconds.clone(),
        );
        registry.register_with_unit(
            "start_wait",
            "From the claim to Started; of what a message with a timestamp brought, from that",
            seconds(),
            self.start_wait_seconds.clone(),
        );
        registry.register_with_unit(
            "worker_start",
            "From the decision to start a worker to its Ready: a fork of a template, a process, or a template itself",
            seconds(),
            self.worker_start_seconds.clone(),
        );
        registry.register(
            "template_failures",
            "Templates that could not load, make a worker or live on; workers start without one meanwhile",
            self.template_failures.clone(),
        );
        registry.register_with_unit(
            "commit",
            "One finalization commit",
            seconds(),
            self.commit_seconds.clone(),
        );
        registry.register_with_unit(
            "share_worker",
            "Worker time that runs of an organization had at this supervisor; of 200 organizations, the others together",
            seconds(),
            self.share_worker_seconds.clone(),
        );
        registry.register(
            "commit_outcomes",
            "Outcomes in one finalization commit",
            self.commit_outcomes.clone(),
        );
    }

    pub(super) fn register_gauges(&mut self) {
        let registry = &mut self.registry;
        registry.register("workers", "Workers by state", self.workers.clone());
        registry.register("workers_min", "Workers kept warm", self.workers_min.clone());
        registry.register("workers_max", "The most workers there may be", self.workers_max.clone());
        registry.register("executions_running", "Executions a worker holds", self.running.clone());
        registry.register(
            "executions_waiting",
            "Claimed executions that wait for a worker",
            self.waiting.clone(),
        );
        registry.register_with_unit(
            "oldest_wait",
            "How long the oldest of them has waited, since its message was published where that says so",
            Unit::Seconds,
            self.oldest_wait_seconds.clone(),
        );
        registry.register(
            "executions_pending",
            "Rows that wait to be claimed; -1 when unknown",
            self.pending.clone(),
        );
        registry.register(
            "broker_messages",
            "Messages in RabbitMQ by their state: ready is delivered to nobody yet, dead is a dead letter; no series while unknown",
            self.broker_messages.clone(),
        );
        registry.register(
            "limit_running",
            "Executions that run in a limit; of 200 limits at most",
            self.limit_running.clone(),
        );
        registry.register(
            "limit_waiting",
            "Executions that wait for room in a limit; of 200 limits at most",
            self.limit_waiting.clone(),
        );
        registry.register(
            "queue_waiting",
            "Rows that wait in a queue; a hundred thousand in all may be more",
            self.queue_waiting.clone(),
        );
        registry.register_with_unit(
            "queue_oldest_wait",
            "How long the next row of a queue that waits for nothing but a worker has waited since its moment, or since its message was published",
            Unit::Seconds,
            self.queue_oldest_wait_seconds.clone(),
        );
        registry.register("draining", "1 once no more work is taken", self.draining.clone());
        registry.register("ready", "1 for each part that does its work", self.ready.clone());
        registry.register_with_unit(
            "store_answer_age",
            "How old the last answer of the database is; what is known of it is no younger",
            Unit::Seconds,
            self.store_answer_age_seconds.clone(),
        );
        registry.register(
            "outcomes_refused",
            "Outcomes that the database refuses although it takes others",
            self.outcomes_refused.clone(),
        );
        registry.register(
            "outcomes_in_memory",
            "Outcomes that are neither in the database nor on disk yet",
            self.outcomes_in_memory.clone(),
        );
        registry.register_with_unit(
            "live_writes_queued",
            "Live news that wait to be written",
            Unit::Bytes,
            self.live_writes_queued_bytes.clone(),
        );
        registry.register(
            "live_writes_dropped",
            "Live news dropped since the start",
            self.live_writes_dropped.clone(),
        );
        registry.register(
            "invariant_violations",
            "What always holds and was seen not to: each is a fault of the supervisor, to be reported",
            self.invariant_violations.clone(),
        );
    }
}
