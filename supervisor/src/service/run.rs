//! `supervisor run`: a supervisor with its HTTP interface, from the first signal handler to the last commit.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use muster_core::invariant::report_violations_to;
use muster_system::process::{
    connections_within, descriptors_for, raise_descriptor_limit, reap_orphans, walls,
};
use muster_system::vital;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::confinement::{confinement, doubt_about};
use super::core::pool_config;
use super::data_dir::make_private;
use super::start::StartError;
use super::starting::Starting;
use super::supervisor::{ReloadSettings, Supervisor};
use super::tasks::Tasks;
use super::workflows_dir;
use crate::access::{Access, MainToken, TokenError, dashboard_url};
use crate::api::ApiService;
use crate::client::reachable;
use crate::http::{Api, StartupServer};
use crate::settings::Settings;

/// Live streams and last answers get so long at the end.
const HTTP_CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// Why the service cannot run, or could not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The supervisor cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address is taken, or not ours.
    #[error("cannot listen on http_bind {address}: {source}; choose another address, or \"\" for none")]
    Bind {
        /// The address that was to be bound.
        address: SocketAddr,
        /// The error of the system call.
        source: io::Error,
    },
    /// A third signal did not let it wait any longer.
    #[error(
        "left at the third signal with {count} outcomes that neither the database nor data_dir had taken; their \
         executions are run again"
    )]
    Abandoned {
        /// The number of outcomes that were left behind.
        count: usize,
    },
    /// The token of the HTTP interface cannot be had.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The process cannot hear signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] io::Error),
}

/// Runs until a signal asks to leave, and then until all is finished and written.
///
/// # Errors
/// When it cannot start.
pub async fn run(settings: Settings, reload: ReloadSettings) -> Result<(), RunError> {
    vital::end_on_panic();
    let connections_max = check_descriptors(&settings);
    say_walls(&settings);
    workflows_dir::say_if_missing(&settings);
    report_violations_to(|id, seen| {
        tracing::error!(
            invariant = id,
            "a fault of the supervisor, which goes on: report it with this line. {seen}"
        );
    });
    if std::process::id() == 1 {
        tokio::spawn(vital::turning("reaper", reap_for_ever(signal(SignalKind::child())?)));
    }
    let mut signals = Signals::listen()?;
    let (starting, closing) = (Starting::default(), CancellationToken::new());
    let mut settings = settings;
    let access = access(&settings)?;
    let front = StartupServer::starting(access.clone(), starting.waits_for());
    let listener = listen(settings.http_bind).await?;
    if let Some(address) = listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
        say_address(address, &access);
        // Port 0 is whichever was free: workers are told which.
        settings.http_bind = Some(address);
    }
    let http = listener.map(|it| serve(front.clone(), it, closing.clone(), connections_max));
    let (supervisor, tasks) = tokio::select! {
        started = Supervisor::start(settings, reload, &starting, Arc::clone(&access.tokens)) => match started {
            Ok(started) => started,
            Err(error) => {
                starting.close_store().await;
                return Err(error.into());
            }
        },
        // It waits for a database, or for what an earlier process kept: nothing is claimed yet.
        () = signals.leave() => {
            tracing::info!("asked to stop before the start was over");
            starting.close_store().await;
            return Ok(());
        }
    };
    vital::watch();
    front.open(api(&supervisor, access, closing.clone()));
    notify(NotifyState::Ready);
    let watchdog = tokio::spawn(feed_watchdog(Arc::clone(&supervisor)));
    signals.until_asked_to_leave(&supervisor).await;
    notify(NotifyState::Stopping);
    // What it holds, its folder above all, is held until the database is closed.
    let left = leave(Arc::clone(&supervisor), tasks, signals).await;
    closing.cancel();
    if let Some(http) = http {
        let _ = tokio::time::timeout(HTTP_CLOSES_WITHIN, http).await;
    }
    watchdog.abort();
    starting.close_store().await;
    drop(supervisor);
    left.map_err(|count| RunError::Abandoned { count })
}

/// Makes room for the pool's descriptors, and says so when there is not enough. Gives how many clients of the HTTP
/// interface there is room for beside.
fn check_descriptors(settings: &Settings) -> usize {
    let needed = descriptors_for(pool_config(settings, None).max_processes());
    let limit = raise_descriptor_limit();
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        tracing::error!(
            limit,
            needed,
            "too few file descriptors for max_workers: raise `ulimit -n` or lower it"
        );
    }
    connections_within(limit, needed)
}

/// Whether what runs as the same user is kept from our secrets.
fn say_walls(settings: &Settings) {
    for wall in walls(&confinement(settings)) {
        if wall.stands {
            tracing::info!(wall = wall.name, "{}", wall.detail);
        } else if wall.asked {
            tracing::warn!(wall = wall.name, "{}", wall.detail);
        } else {
            tracing::info!(wall = wall.name, "not asked for: {}", wall.detail);
        }
    }
    if let Some(doubt) = doubt_about(settings) {
        tracing::warn!("{doubt}");
    }
}

/// Who is let in. Where nothing listens, no token is made.
fn access(settings: &Settings) -> Result<Access, RunError> {
    if settings.http_bind.is_none() {
        return Ok(Access::with(MainToken::Open));
    }
    make_private(&settings.data_dir).map_err(StartError::from)?;
    Ok(Access::of(settings)?)
}

/// Says where the dashboard is. The token is for a person who sits at the terminal, and for no file that keeps a
/// log: there the line names the file that has it.
fn say_address(address: SocketAddr, access: &Access) {
    let url = format!("http://{}", reachable(address));
    match access.main() {
        MainToken::Open => tracing::info!(url, "listening, and every local program is let in"),
        MainToken::Token { file: None, .. } => tracing::info!(url, "listening"),
        MainToken::Token { file: Some(file), token } => {
            tracing::info!(url, token_file = %file.display(), "listening");
            if io::stderr().is_terminal() {
                let dashboard = dashboard_url(&url, Some(token));
                // A terminal that is gone shows nothing, and nobody misses it.
                let _ = writeln!(io::stderr().lock(), "dashboard: {dashboard}");
            }
        }
    }
}

/// As process 1, orphans of the whole container are ours to reap.
async fn reap_for_ever(mut children: Signal) {
    while children.recv().await.is_some() {
        reap_orphans();
    }
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, RunError> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|source| RunError::Bind { address, source })?;
    Ok(Some(listener))
}

fn serve(
    front: StartupServer,
    listener: TcpListener,
    closing: CancellationToken,
    connections_max: usize,
) -> JoinHandle<()> {
    let served = front.serve(listener, closing.clone(), connections_max);
    tokio::spawn(vital::turning_until("http", closing, served))
}

fn api(supervisor: &Arc<Supervisor>, access: Access, closing: CancellationToken) -> Api {
    Api {
        store: Arc::clone(&supervisor.store),
        bus: supervisor.core.bus.clone(),
        service: Arc::clone(supervisor) as Arc<dyn ApiService>,
        access,
        closing,
    }
}

/// Drains; a second signal hurries, a third leaves at once.
async fn leave(supervisor: Arc<Supervisor>, tasks: Tasks, mut signals: Signals) -> Result<(), usize> {
    let grace = supervisor.settings.read().unwrap_or_else(PoisonError::into_inner).drain;
    let (force, abandon) = (CancellationToken::new(), CancellationToken::new());
    let (second, third) = (force.clone(), abandon.clone());
    let hearing = tokio::spawn(async move {
        signals.leave().await;
        second.cancel();
        signals.leave().await;
        third.cancel();
    });
    let left = tasks.drain(supervisor, grace, force, abandon).await;
    hearing.abort();
    left
}

/// The signals a service hears.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Comes when a file reaches a limit. Heard, it ends nothing: the write that was refused has its error.
    _file_limit: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_limit: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Returns on SIGTERM or SIGINT.
    async fn leave(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Returns on SIGTERM or SIGINT; reloads on SIGHUP meanwhile.
    async fn until_asked_to_leave(&mut self, supervisor: &Supervisor) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => match supervisor.reload() {
                    Ok(()) => tracing::info!("settings reloaded; replacing workers"),
                    Err(error) => tracing::error!(error, "settings not reloaded; the old ones stay in force"),
                },
            }
        }
    }
}

/// Tells systemd, where there is one.
fn notify(state: NotifyState<'_>) {
    // Without systemd there is nobody to tell, which is no error.
    let _ = sd_notify::notify(&[state]);
}

/// Feeds systemd's watchdog, if it asks for it, as long as the supervisor's loops turn: a timer alone would also
/// feed it when nothing moves any more.
async fn feed_watchdog(supervisor: Arc<Supervisor>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut every = tokio::time::interval(limit / 3);
    loop {
        every.tick().await;
        match supervisor.liveness.check() {
            Ok(()) => notify(NotifyState::Watchdog),
            Err(problem) => tracing::error!(problem, "the watchdog is not notified any more"),
        }
    }
}
