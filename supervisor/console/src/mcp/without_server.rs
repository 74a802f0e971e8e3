//! Stands where the server would be in a build without it: whoever asks for it is told.

use muster_api::client::ApiClient;

use crate::exit::CommandFailure;

pub(super) fn serve_until_left(_client: ApiClient, _allow_write: bool) -> Result<(), CommandFailure> {
    Err(CommandFailure::usage(
        "this supervisor was built without mcp: give the assistant `supervisor list --json`, `show` and `explain`, or build \
         it with the feature `mcp`",
    ))
}
