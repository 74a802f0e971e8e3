//! Telling others after the commit, on the line of `dispatch`'s tests.

mod control_commands;
mod notifier;
mod sweep;
