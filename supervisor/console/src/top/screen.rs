//! How a moment is drawn.

use muster_api::client::Execution;
use muster_api::{BrokerView, PauseView, PoolView, WorkerView};
use muster_core::execution::Status;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table};

use crate::human;

/// Everything on the screen.
#[derive(Debug)]
pub(super) struct ScreenData {
    pub(super) pool: PoolView,
    pub(super) executions: Vec<Execution>,
    /// Why this is not the present.
    pub(super) trouble: Option<String>,
}

pub(super) fn draw(frame: &mut Frame<'_>, moment: &ScreenData) {
    let workers = u16::try_from(moment.pool.workers.len()).unwrap_or(u16::MAX).saturating_add(1);
    // Workers take at most half of the screen: the executions below are what moves.
    let workers = workers.min(frame.area().height / 2);
    let rows =
        [Constraint::Length(3), Constraint::Length(workers), Constraint::Length(1), Constraint::Min(0)];
    let [head, middle, _, bottom] = Layout::vertical(rows).areas(frame.area());
    draw_head(frame, head, moment);
    draw_workers(frame, middle, &moment.pool.workers);
    draw_executions(frame, bottom, &moment.executions);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, moment: &ScreenData) {
    let pool = &moment.pool;
    let dim = Style::new().add_modifier(Modifier::DIM);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let pending = pool.pending.map_or_else(|| "?".to_owned(), |pending| pending.to_string());
    let mut numbers = vec![
        (pool.running.to_string(), "running"),
        (pool.waiting.to_string(), "waiting for a worker"),
        (pending, "in the queue"),
    ];
    numbers.extend(pool.broker.iter().flat_map(BrokerView::counts));
    numbers.push((pool.workers.len().to_string(), "workers"));
    let mut line = vec![Span::styled(format!("muster {}  ", pool.version), bold)];
    for (number, name) in numbers {
        line.push(Span::styled(number, bold));
        line.push(Span::styled(format!(" {name}   "), dim));
    }
    let whom_for = pool.isolation.suffix();
    line.push(Span::styled(format!("of {} to {}{whom_for}", pool.min_workers, pool.max_workers), dim));
    if pool.draining {
        line.push(Span::styled("   draining", Style::new().fg(Color::Yellow)));
    }
    let paused = pool.pauses.iter().map(PauseView::sentence).reduce(|all, one| format!("{all}; {one}"));
    let trouble = moment.trouble.clone().or_else(|| pool.problem.clone()).or(paused).unwrap_or_default();
    let trouble = Line::styled(trouble, Style::new().fg(Color::Red));
    frame.render_widget(Paragraph::new(vec![Line::from(line), trouble]), area);
}

fn draw_workers(frame: &mut Frame<'_>, area: Rect, workers: &[WorkerView]) {
    let rows = workers.iter().map(|worker| {
        Row::new([
            worker.worker.clone(),
            worker.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            worker.state.clone(),
            human::seconds(worker.state_seconds),
            worker.executions.to_string(),
            human::seconds(worker.age_seconds),
            worker.rss_bytes.map(human::mebibytes).unwrap_or_default(),
            worker.execution_id.map(|id| id.to_string()).unwrap_or_default(),
        ])
        .style(state_style(&worker.state))
    });
    let widths = [12, 9, 12, 11, 9, 11, 11, 36].map(Constraint::Length);
    let header = header(["WORKER", "PID", "STATE", "FOR", "RUN", "AGE", "MEMORY", "EXECUTION"]);
    frame.render_widget(Table::new(rows, widths).header(header), area);
}

fn draw_executions(frame: &mut Frame<'_>, area: Rect, executions: &[Execution]) {
    let rows = executions.iter().map(|execution| {
        let error = match (&execution.error_type, &execution.error_message) {
            (Some(kind), Some(message)) => human::first_line(&format!("{kind}: {message}"), 200),
            (Some(kind), None) => kind.clone(),
            (None, _) => String::new(),
        };
        Row::new([
            execution.execution_id.to_string(),
            execution.status.to_string(),
            execution.took().map(human::duration).unwrap_or_default(),
            execution.workflow.clone().unwrap_or_default(),
            error,
        ])
        .style(status_style(execution.status))
    });
    let widths = [
        Constraint::Length(36),
        Constraint::Length(9),
        Constraint::Length(11),
        Constraint::Length(24),
        Constraint::Min(10),
    ];
    let header = header(["EXECUTION", "STATUS", "TOOK", "WORKFLOW", "ERROR"]);
    frame.render_widget(Table::new(rows, widths).header(header), area);
}

fn header<const N: usize>(titles: [&'static str; N]) -> Row<'static> {
    Row::new(titles).style(Style::new().add_modifier(Modifier::DIM))
}

fn state_style(state: &str) -> Style {
    match state {
        "idle" => Style::new().fg(Color::Green),
        "starting" | "cancelling" => Style::new().fg(Color::Yellow),
        "terminating" | "killed" => Style::new().fg(Color::Red),
        _ => Style::new(),
    }
}

fn status_style(status: Status) -> Style {
    match status {
        Status::Success => Style::new().fg(Color::Green),
        Status::Failed | Status::Timeout => Style::new().fg(Color::Red),
        Status::Cancelled => Style::new().fg(Color::Yellow),
        Status::Running => Style::new().fg(Color::Cyan),
        Status::Pending => Style::new().add_modifier(Modifier::DIM),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    #[test]
    fn the_screen_shows_workers_executions_and_trouble() {
        let row = r#"{"execution_id":"0198aa00-0000-7000-8000-000000000001","workflow":"report","status":"FAILED",
            "error_type":"ValueError","error_message":"no rows\nat all","duration_ms":1250,"attempt":1,"max_attempts":3,
            "run_after":"2026-01-01T00:00:00Z","created_at":"2026-01-01T00:00:00Z"}"#;
        let moment = ScreenData {
            pool: crate::tests::pool(),
            executions: vec![serde_json::from_str(row).unwrap()],
            trouble: Some("no supervisor answers".into()),
        };
        let mut terminal = Terminal::new(TestBackend::new(112, 10)).unwrap();
        terminal.draw(|frame| draw(frame, &moment)).unwrap();
        insta::assert_snapshot!(terminal.backend(), @r#"
"muster 0.1.0  1 running   0 waiting for a worker   3 in the queue   2 workers   of 2 to 10                      "
"no supervisor answers                                                                                           "
"                                                                                                                "
"WORKER    PID       STATE      FOR        RUN       AGE         MEMORY      EXECUTION                           "
"worker-1  4242      running    1.50 s     7         1 m 30 s    12.0 MiB    00000000-0000-0000-0000-000000000000"
"worker-2  4242      idle       1.50 s     7         1 m 30 s    12.0 MiB                                        "
"                                                                                                                "
"EXECUTION                            STATUS    TOOK        WORKFLOW                 ERROR                       "
"0198aa00-0000-7000-8000-000000000001 FAILED    1.25 s      report                   ValueError: no rows         "
"                                                                                                                "
"#);
    }
}
