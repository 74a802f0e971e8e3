//! Looking again and again, and drawing what there is.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use muster_api::client::{ApiClient, ClientError, Executions};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::screen::{self, ScreenData};
use crate::exit::CommandFailure;

/// How long a key waits to be looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How many executions fit on large screens.
const EXECUTIONS: &str = "50";

/// Shows the pool and the latest executions until somebody leaves.
pub(super) fn watch_until_left(client: ApiClient, every: Duration) -> Result<(), CommandFailure> {
    // The first look is before the screen is taken, so that its error stays readable.
    let first = look(&client)?;
    let moments = watch(client, every.max(LOOK));
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, first, &moments);
    ratatui::restore();
    Ok(shown?)
}

/// What there is to see now.
fn look(client: &ApiClient) -> Result<ScreenData, ClientError> {
    let pool = client.pool()?;
    let page: Executions = client.parsed(client.executions(&[("limit", EXECUTIONS.to_owned())])?)?;
    Ok(ScreenData { pool, executions: page.executions, trouble: None })
}

/// Looks again and again in a thread of its own, so that a slow answer does not hold up the keys.
fn watch(client: ApiClient, every: Duration) -> Receiver<Result<ScreenData, ClientError>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        // The receiver leaves with the screen.
        while sender.send(look(&client)).is_ok() {
            std::thread::sleep(every);
        }
    });
    receiver
}

/// Draws until somebody leaves.
fn show(
    terminal: &mut ratatui::DefaultTerminal,
    mut moment: ScreenData,
    moments: &Receiver<Result<ScreenData, ClientError>>,
) -> std::io::Result<()> {
    loop {
        terminal.draw(|frame| screen::draw(frame, &moment))?;
        match moments.recv_timeout(LOOK) {
            Ok(Ok(next)) => moment = next,
            // The last moment stays on the screen, under the reason why it is old.
            Ok(Err(error)) => moment.trouble = Some(error.to_string()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        while event::poll(Duration::ZERO)? {
            if is_leaving(&event::read()?) {
                return Ok(());
            }
        }
    }
}

fn is_leaving(event: &Event) -> bool {
    let Some(key) = event.as_key_event().filter(|key| key.kind == KeyEventKind::Press) else { return false };
    let is_control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    is_control_c || key.code == KeyCode::Char('q') || key.code == KeyCode::Esc
}
