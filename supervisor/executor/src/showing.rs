//! What of a run live views are shown, while all of it is kept for its record: each run has a share, and what it said last
//! is shown in any case. Nothing is copied that is not shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_core::execution::{Change, LogLine};

use super::executor_loop::ExecutorLoop;
use super::live::LiveEvent;
use super::live_share::LiveShare;
use super::run::ExecutorRun;

/// How soon it is looked whether more of a run may be shown.
const SHOW_LEFT_OUT_EVERY: Duration = Duration::from_millis(100);

/// News of a run that live views may have to wait for.
#[derive(Debug)]
enum ShownNews {
    /// The lines of its log from this number on.
    LinesSince(u64),
    /// A change that it asked for.
    Change(Arc<Change>),
}

/// What a run has shown, and what it said last where that was left out.
#[derive(Debug, Default)]
pub(super) struct ShownRun {
    share: LiveShare,
    left_out: Option<ShownNews>,
}

impl ExecutorRun {
    /// Takes lines into the log. Gives those that are to be shown.
    fn log(&mut self, lines: impl IntoIterator<Item = LogLine>, now: Instant) -> Option<LiveEvent> {
        let first = self.logs.next_sequence();
        lines.into_iter().for_each(|line| self.logs.take(line));
        if first == self.logs.next_sequence() {
            return None;
        }
        self.show(ShownNews::LinesSince(first), now)
    }

    fn show(&mut self, news: ShownNews, now: Instant) -> Option<LiveEvent> {
        // The latest is kept, for a run that then says nothing more for long.
        self.shown.left_out = Some(news);
        self.show_left_out(now)
    }

    /// What was left out, if it may be shown by now.
    fn show_left_out(&mut self, now: Instant) -> Option<LiveEvent> {
        if !self.shown.share.has_room(now) {
            return None;
        }
        let attempt = self.spec.attempt;
        let live = match self.shown.left_out.take()? {
            ShownNews::LinesSince(first) => LiveEvent::Logged(attempt, self.logs.since(first)),
            ShownNews::Change(change) => LiveEvent::Changed(attempt, change, Arc::clone(&self.secrets)),
        };
        self.shown.share.use_up(live.size_bytes());
        Some(live)
    }
}

impl ExecutorLoop {
    /// Takes lines into the log of a run, and shows them if it has a share left.
    pub(super) fn log(&self, run: &mut ExecutorRun, lines: impl IntoIterator<Item = LogLine>) {
        let live = run.log(lines, Instant::now());
        self.tell_shown(run, live);
    }

    /// Shows a change that a run asked for, if it has a share left.
    pub(super) fn show_change(&self, run: &mut ExecutorRun, change: Arc<Change>) {
        let live = run.show(ShownNews::Change(change), Instant::now());
        self.tell_shown(run, live);
    }

    fn tell_shown(&self, run: &ExecutorRun, live: Option<LiveEvent>) {
        match live {
            Some(live) => self.events.tell_live(live),
            None if run.shown.left_out.is_some() => self.leaves_out.notify_one(),
            None => {}
        }
    }

    /// Shows what runs said last where it was left out, once they may show more, for ever.
    pub(super) async fn keep_showing(&self) {
        loop {
            self.leaves_out.notified().await;
            loop {
                tokio::time::sleep(SHOW_LEFT_OUT_EVERY).await;
                if self.show_left_out(Instant::now()) {
                    break;
                }
            }
        }
    }

    /// True when nothing is left out any more.
    fn show_left_out(&self, now: Instant) -> bool {
        let mut state = self.state.borrow_mut();
        let due = state.runs.values_mut().filter_map(|run| run.show_left_out(now));
        due.for_each(|live| self.events.tell_live(live));
        state.runs.values().all(|run| run.shown.left_out.is_none())
    }
}

#[cfg(test)]
mod tests {
    use muster_core::execution::Secrets;

    use super::*;
    use crate::logs;
    use crate::run_spec::samples::any_spec;

    const MIB: usize = 1024 * 1024;

    fn lines(bytes: usize, message: &str) -> Vec<LogLine> {
        let line = logs::printed(message.to_owned(), &Secrets::default());
        vec![line.clone(); bytes / line.size_bytes()]
    }

    fn numbers(live: Option<LiveEvent>) -> Vec<u64> {
        match live {
            Some(LiveEvent::Logged(_, lines)) => lines.iter().map(|line| line.sequence).collect(),
            Some(live @ (LiveEvent::Progressed(..) | LiveEvent::Changed(..))) => panic!("{live:?}"),
            None => Vec::new(),
        }
    }

    #[test]
    fn what_a_run_said_last_is_shown_though_it_said_too_much() {
        let (mut run, begun) = (ExecutorRun::new(any_spec()), Instant::now());
        let flood = lines(5 * MIB, "flood");
        let last = flood.len() as u64;
        assert_eq!(
            numbers(run.log(flood, begun)),
            (1..=last).collect::<Vec<_>>(),
            "more than its share, at once"
        );
        assert_eq!(numbers(run.log(lines(400, "left out"), begun)), [0; 0]);
        let said_last = logs::printed("last".to_owned(), &Secrets::default());
        assert_eq!(numbers(run.log([said_last], begun)), [0; 0]);
        assert!(run.show_left_out(begun).is_none(), "there is no room for it yet");
        let later = begun + Duration::from_secs(2);
        assert_eq!(numbers(run.show_left_out(later)), [run.logs.next_sequence() - 1]);
        assert!(run.show_left_out(later).is_none(), "it is shown once");
    }

    #[test]
    fn nothing_is_shown_of_no_lines_and_what_was_left_out_stays() {
        let (mut run, begun) = (ExecutorRun::new(any_spec()), Instant::now());
        run.log(lines(5 * MIB, "flood"), begun);
        run.log(lines(200, "left out"), begun);
        assert!(run.log([], begun + Duration::from_secs(2)).is_none());
        assert!(run.show_left_out(begun + Duration::from_secs(2)).is_some());
    }

    /// What is shown later counts as what is shown at once.
    #[test]
    fn a_run_without_end_shows_no_more_than_its_share() {
        let (mut run, begun) = (ExecutorRun::new(any_spec()), Instant::now());
        let mut shown = 0;
        for tenth in 0..300 {
            let now = begun + Duration::from_millis(100 * tenth);
            shown += (0..4).map(|_| numbers(run.log(lines(MIB / 4, "flood"), now)).len()).sum::<usize>();
            shown += numbers(run.show_left_out(now + Duration::from_millis(50))).len();
        }
        let line_bytes = lines(MIB, "flood")[0].size_bytes();
        let shown_mib = shown * line_bytes / MIB;
        assert!(
            (30..36).contains(&shown_mib),
            "{shown_mib} MiB in half a minute: 4 at once, 1 in each second"
        );
    }
}
