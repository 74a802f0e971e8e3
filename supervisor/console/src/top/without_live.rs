//! Stands where the screen would be in a build without it: whoever asks for it is told.

use std::time::Duration;

use muster_api::client::ApiClient;

use crate::exit::CommandFailure;

pub(super) fn watch_until_left(_client: ApiClient, _every: Duration) -> Result<(), CommandFailure> {
    Err(CommandFailure::usage(
        "this supervisor was built without top: use `supervisor status` and `supervisor list`, or build it with the \
         feature `top`",
    ))
}
