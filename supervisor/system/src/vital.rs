//! The loops a service cannot do without, and what happens when one of them ends: the process ends too, and says
//! so. It is made to be killed at any moment: leases, the outbox and the record of worker processes let the next
//! start, or another supervisor, go on with what it held. A service with a part missing would only look alive.
//!
//! This is about the whole process, so its state is the process'. Nothing is watched before [`watch`] and after
//! [`stand_down`], in other commands, and in tests of single parts.

use std::cell::Cell;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio_util::sync::CancellationToken;

/// A fault of the program: the number of `EX_SOFTWARE`.
const EXIT_CODE: i32 = 70;

static WATCHING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What runs on this thread right now: the last words of a panic name it.
    static RUNNING: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// From here on a loop that ends takes the process along.
pub fn watch() {
    WATCHING.store(true, Ordering::SeqCst);
}

/// From here on loops may end: the process leaves.
pub fn stand_down() {
    WATCHING.store(false, Ordering::SeqCst);
}

/// From here on a panic anywhere ends the process, in every build, and names the loop it was in.
pub fn end_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        let running = RUNNING.get().unwrap_or("something of no loop");
        tracing::error!(
            running,
            %panic,
            "a fault of the program: the supervisor ends, and what it held goes on elsewhere or after a restart; \
             report this line"
        );
        std::process::abort();
    }));
}

/// Somebody found that a loop is gone by asking it for something that must not be lost.
pub fn is_gone(name: &'static str) {
    if WATCHING.load(Ordering::SeqCst) {
        end(name);
    }
}

/// Runs a loop that never ends by itself; that it ends ends the process.
pub async fn turning<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let _watched = guard(name);
    named(name, work).await
}

/// A loop that ends when it is told to, and never before.
pub async fn turning_until<T>(
    name: &'static str,
    told: CancellationToken,
    work: impl Future<Output = T>,
) -> T {
    let watched = guard(name);
    let done = named(name, work).await;
    if told.is_cancelled() {
        watched.done();
    }
    done
}

/// A loop that ends by itself when nobody can want anything of it any more.
pub async fn serving<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let watched = guard(name);
    let done = named(name, work).await;
    watched.done();
    done
}

/// Watches a loop on a thread of its own, for as long as it is kept.
pub fn guard(name: &'static str) -> VitalGuard {
    VitalGuard { name, is_done: false }
}

/// A guard for what must not be dropped, given by [`guard`].
#[derive(Debug)]
#[must_use = "a loop is watched for as long as this lives"]
pub struct VitalGuard {
    name: &'static str,
    is_done: bool,
}

impl VitalGuard {
    /// The loop ends as it should.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for VitalGuard {
    fn drop(&mut self) {
        if !self.is_done && WATCHING.load(Ordering::SeqCst) {
            end(self.name);
        }
    }
}

fn end(name: &'static str) {
    tracing::error!(
        name,
        "a loop that the supervisor cannot do without has ended, so the supervisor ends: start it again, what it \
         held goes on then or elsewhere"
    );
    std::process::exit(EXIT_CODE);
}

/// Polls the work under its name, and breaks it off where a test wants that.
async fn named<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let (mut work, mut fault) = (pin!(work), pin!(fault::strikes(name)));
    let done = std::future::poll_fn(move |context| {
        let before = RUNNING.replace(Some(name));
        let polled = match fault.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => work.as_mut().poll(context).map(Some),
        };
        RUNNING.set(before);
        polled
    });
    match done.await {
        Some(done) => done,
        // The watch over it sees that it is dropped.
        None => {
            is_gone(name);
            std::future::pending().await
        }
    }
}

/// True when a test wants this loop to end now.
pub fn is_struck(name: &str) -> bool {
    fault::is_due(name)
}

#[cfg(debug_assertions)]
mod fault {
    //! `FAULT_IN_MUSTER=NAME@FILE` ends a loop once the file is there, `NAME!@FILE` makes it panic. Debug builds
    //! only: it is how a test kills each loop in turn.

    use std::time::Duration;

    const LOOK_EVERY: Duration = Duration::from_millis(20);

    fn wanted(name: &str) -> Option<(bool, String)> {
        let fault = std::env::var("FAULT_IN_MUSTER").ok()?;
        let (victim, file) = fault.split_once('@')?;
        let (victim, panics) = victim.strip_suffix('!').map_or((victim, false), |victim| (victim, true));
        (victim == name).then(|| (panics, file.to_owned()))
    }

    pub(super) async fn strikes(name: &str) {
        let Some((panics, file)) = wanted(name) else { return std::future::pending().await };
        while !std::path::Path::new(&file).exists() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        assert!(!panics, "as the test wants it");
    }

    pub(super) fn is_due(name: &str) -> bool {
        wanted(name).is_some_and(|(_, file)| std::path::Path::new(&file).exists())
    }
}

#[cfg(not(debug_assertions))]
mod fault {
    //! In a release build nothing strikes.

    pub(super) async fn strikes(_name: &str) {
        std::future::pending().await
    }

    pub(super) fn is_due(_name: &str) -> bool {
        false
    }
}
