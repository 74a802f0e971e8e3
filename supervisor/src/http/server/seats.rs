//! Who has a connection, who waits on one without asking anything, and whose turn it is to leave.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Seats beyond the others, on which health is answered.
const RESERVE: usize = 8;

/// Who was seen within this is not asked to leave.
const MAY_BE_ABOUT_TO_ASK: Duration = Duration::from_millis(100);
/// How soon it is looked again whether somebody has become idle.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);
/// Connections that may be on their way out beside all others.
const LEAVING_MAX: usize = 8;

/// All seats. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Seats {
    book: Arc<Mutex<SeatBook>>,
    freed: Arc<Notify>,
}

#[derive(Debug)]
struct SeatBook {
    most: usize,
    next: u64,
    entries: BTreeMap<u64, SeatEntry>,
}

#[derive(Debug)]
struct SeatEntry {
    use_: SeatUse,
    is_for_health: bool,
    give_up: CancellationToken,
}

/// What a connection does with its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeatUse {
    /// It was asked nothing since then.
    Waits(Instant),
    /// A request is answered, or it became a WebSocket.
    Works,
    /// Another has its place; its descriptor is closed in a moment.
    Leaves,
}

/// What becomes of a new connection.
#[derive(Debug)]
pub(super) enum SeatAdmission {
    Seated(Seat),
    Refused,
}

/// Who has the seats of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TakenSeats {
    count: usize,
    /// Who has waited longest without asking anything, if anybody has for a while.
    idler: Option<u64>,
}

/// What to do about a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeatDecision {
    /// It gets a seat; if somebody is named, theirs.
    Seat {
        in_place_of: Option<u64>,
    },
    /// It gets one for health.
    ForHealth {
        in_place_of: Option<u64>,
    },
    Refuse,
}

/// A seat for health is never turned into another: were it, enough long waits would take all of them.
fn decide(most: usize, seats: TakenSeats, for_health: TakenSeats) -> SeatDecision {
    if seats.count < most {
        SeatDecision::Seat { in_place_of: None }
    } else if seats.idler.is_some() {
        SeatDecision::Seat { in_place_of: seats.idler }
    } else if for_health.count < RESERVE {
        SeatDecision::ForHealth { in_place_of: None }
    } else if for_health.idler.is_some() {
        SeatDecision::ForHealth { in_place_of: for_health.idler }
    } else {
        SeatDecision::Refuse
    }
}

impl Seats {
    pub(super) fn new(most: usize) -> Self {
        let book = SeatBook { most, next: 0, entries: BTreeMap::new() };
        Self { book: Arc::new(Mutex::new(book)), freed: Arc::default() }
    }

    /// Returns when there is a descriptor for the next connection: those who leave have theirs for a moment still.
    pub(super) async fn have_room(&self) {
        loop {
            let freed = self.freed.notified();
            if self.lock().has_room() {
                return;
            }
            freed.await;
        }
    }

    /// A seat for a new connection, if it gets one. Where everybody came just now, who is idle shows a moment later.
    pub(super) async fn take(&self) -> SeatAdmission {
        let deadline = Instant::now() + 2 * MAY_BE_ABOUT_TO_ASK;
        loop {
            match self.try_take() {
                SeatAdmission::Refused if Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_AGAIN_AFTER).await
                }
                decided @ (SeatAdmission::Seated(_) | SeatAdmission::Refused) => return decided,
            }
        }
    }

    fn try_take(&self) -> SeatAdmission {
        let mut book = self.lock();
        let now = Instant::now();
        let (is_for_health, in_place_of) =
            match decide(book.most, book.taken(false, now), book.taken(true, now)) {
                SeatDecision::Seat { in_place_of } => (false, in_place_of),
                SeatDecision::ForHealth { in_place_of } => (true, in_place_of),
                SeatDecision::Refuse => return SeatAdmission::Refused,
            };
        if let Some(entry) = in_place_of.and_then(|idler| book.entries.get_mut(&idler)) {
            entry.use_ = SeatUse::Leaves;
            entry.give_up.cancel();
        }
        let number = book.next;
        book.next += 1;
        let give_up = CancellationToken::new();
        let entry = SeatEntry { use_: SeatUse::Waits(now), is_for_health, give_up: give_up.clone() };
        book.entries.insert(number, entry);
        SeatAdmission::Seated(Seat { seats: self.clone(), number, is_for_health, give_up })
    }

    fn lock(&self) -> MutexGuard<'_, SeatBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SeatBook {
    /// Those who stay, of one kind. Whoever came or was answered just now may be about to ask.
    fn taken(&self, for_health: bool, now: Instant) -> TakenSeats {
        let of_kind = || self.entries.iter().filter(move |(_, entry)| entry.is_for_health == for_health);
        let idle = of_kind().filter_map(|(number, entry)| match entry.use_ {
            SeatUse::Waits(since) if now.duration_since(since) >= MAY_BE_ABOUT_TO_ASK => {
                Some((since, *number))
            }
            SeatUse::Waits(_) | SeatUse::Works | SeatUse::Leaves => None,
        });
        let idler = idle.min().map(|(_, number)| number);
        TakenSeats { count: of_kind().filter(|(_, entry)| entry.use_ != SeatUse::Leaves).count(), idler }
    }

    fn has_room(&self) -> bool {
        self.entries.len() < self.most + RESERVE + LEAVING_MAX
    }

    fn set(&mut self, number: u64, use_: SeatUse) {
        if let Some(entry) = self.entries.get_mut(&number).filter(|entry| entry.use_ != SeatUse::Leaves) {
            entry.use_ = use_;
        }
    }
}

/// A connection's seat, free again when this is gone.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    number: u64,
    is_for_health: bool,
    give_up: CancellationToken,
}

impl Seat {
    /// Whether only health is answered here.
    pub(super) fn is_for_health(&self) -> bool {
        self.is_for_health
    }

    /// Cancelled when another took its place.
    pub(super) fn given_up(&self) -> CancellationToken {
        self.give_up.clone()
    }

    /// A request is answered for as long as this lives.
    pub(super) fn work(self: &Arc<Self>) -> BusySeat {
        self.works_on();
        BusySeat(Arc::clone(self))
    }

    /// It is at work, and will be to its end.
    pub(super) fn works_on(&self) {
        self.seats.lock().set(self.number, SeatUse::Works);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().entries.remove(&self.number);
        self.seats.freed.notify_waiters();
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct BusySeat(Arc<Seat>);

impl BusySeat {
    /// Until the last byte of this body is handed over.
    pub(super) fn until_sent(self, body: Body) -> SentBody {
        SentBody { body, _at_work: self }
    }
}

impl Drop for BusySeat {
    fn drop(&mut self) {
        self.0.seats.lock().set(self.0.number, SeatUse::Waits(Instant::now()));
    }
}

/// A body whose connection is at work until it is sent.
#[derive(Debug)]
pub(super) struct SentBody {
    body: Body,
    _at_work: BusySeat,
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(seats: &Seats) -> Arc<Seat> {
        match seats.try_take() {
            SeatAdmission::Seated(seat) => Arc::new(seat),
            SeatAdmission::Refused => panic!("refused"),
        }
    }

    #[test]
    fn a_full_house_asks_the_longest_idle_one_to_leave_and_health_has_seats_of_its_own() {
        let (none, some) = (TakenSeats { count: 0, idler: None }, |count, idler| TakenSeats { count, idler });
        assert_eq!(decide(2, some(1, Some(0)), none), SeatDecision::Seat { in_place_of: None });
        assert_eq!(decide(2, some(2, Some(7)), none), SeatDecision::Seat { in_place_of: Some(7) });
        assert_eq!(decide(2, some(2, None), none), SeatDecision::ForHealth { in_place_of: None });
        assert_eq!(
            decide(2, some(2, None), some(RESERVE, Some(9))),
            SeatDecision::ForHealth { in_place_of: Some(9) }
        );
        assert_eq!(decide(2, some(2, None), some(RESERVE, None)), SeatDecision::Refuse);
    }

    #[test]
    fn whoever_is_at_work_stays_and_no_seat_for_health_is_used_for_anything_else() {
        let seats = Seats::new(2);
        let (busy, silent) = (seat(&seats), seat(&seats));
        let at_work = busy.work();
        std::thread::sleep(MAY_BE_ABOUT_TO_ASK);
        let newer = seat(&seats);
        assert!(silent.given_up().is_cancelled() && !busy.given_up().is_cancelled());
        newer.works_on();
        let for_health: Vec<_> = (0..RESERVE).map(|_| seat(&seats)).collect();
        assert!(for_health.iter().all(|seat| seat.is_for_health()) && !newer.is_for_health());
        assert!(matches!(seats.try_take(), SeatAdmission::Refused), "all of them came just now");
        std::thread::sleep(MAY_BE_ABOUT_TO_ASK);
        assert!(seat(&seats).is_for_health() && for_health[0].given_up().is_cancelled());
        // It gave its answer, and idles: now it is the one to leave.
        drop(at_work);
        std::thread::sleep(MAY_BE_ABOUT_TO_ASK);
        assert!(!seat(&seats).is_for_health());
        assert!(busy.given_up().is_cancelled());
        drop((busy, silent, newer, for_health));
        assert_eq!(seats.lock().entries.len(), 0);
    }
}
