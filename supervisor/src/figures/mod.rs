//! What there was in each minute, noted by every supervisor for charts: how much ended and how, how long it ran and waited,
//! whose it was. Counted in memory, written when a minute is over, and read for all supervisors together. Pure.
//!
//! Not here: what an operator is told to do about it (`report`), and what Prometheus asks for (`observe`).

mod book;
mod history;
mod noted;

pub(crate) use book::{FiguresBook, QUARTER_MINUTES, Stretch};
pub(crate) use history::{ended_before, history, minutes_of_record};
pub(crate) use noted::NotedFigures;
