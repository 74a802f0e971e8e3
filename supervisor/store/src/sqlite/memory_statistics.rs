//! SQLite counts what it allocates, under one lock that each allocation of each connection takes. Nobody asks for the count.
#![expect(unsafe_code, reason = "SQLite has no other way to be configured as a whole")]

use std::sync::Once;

use rusqlite::ffi;

/// Leaves the count out, if this comes before the first connection of the process.
pub(super) fn leave_out() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the option takes one integer. SQLite forbids the call beside others into it: ours come after it, and
        // where some came before it is refused and changes nothing.
        let answer = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0) };
        if answer != ffi::SQLITE_OK {
            tracing::debug!(answer, "SQLite goes on counting what it allocates");
        }
    });
}
