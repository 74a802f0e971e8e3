//! The server: requests of the protocol in, calls of tools out, until the assistant closes the line.

use std::borrow::Cow;
use std::sync::Arc;

use muster_api::client::ApiClient;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, serve_server};
use rmcp::transport::stdio_pipes;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::tool::AssistantTool;
use crate::exit::CommandFailure;

/// What an assistant is told of it all, before it calls anything.
const INSTRUCTIONS: &str = "Muster runs executions of workflows in worker processes. Begin with `report` for how it all is, with \
`list` for what ran, and with `explain` for why an execution waits or failed; `show` and `logs` have the rest. \
Answers are JSON, and a long one is cut and says so. Values of secrets are masked.";

/// Answers an assistant for the holder of a token.
struct AssistantServer {
    client: Arc<ApiClient>,
    may_write: bool,
}

/// Serves whoever is at the other end of standard input and output.
pub(super) fn serve_until_left(client: ApiClient, may_write: bool) -> Result<(), CommandFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = AssistantServer { client: Arc::new(client), may_write };
    let served = runtime.block_on(async {
        let running = serve_server(server, stdio_pipes()).await.map_err(|error| {
            CommandFailure::other(format!(
                "whoever started this does not speak the Model Context Protocol: {error}"
            ))
        })?;
        let left = running.waiting().await;
        left.map(drop).map_err(|error| CommandFailure::other(error.to_string()))
    });
    // Nobody waits any more for the calls that are still under way.
    runtime.shutdown_background();
    served
}

impl ServerHandler for AssistantServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("muster", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = AssistantTool::all(self.may_write).map(AssistantTool::described);
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let CallToolRequestParams { name, arguments, .. } = request;
        let tool = AssistantTool::called(&name).ok_or_else(|| unknown(&name, self.may_write))?;
        if tool.writes() && !self.may_write {
            return Ok(refused(format!(
                "{name} changes something, and this server may only read: whoever started it can allow it with \
                 `supervisor mcp --allow-write`"
            )));
        }
        let client = Arc::clone(&self.client);
        // The client waits for its answers, and others may be asked for meanwhile.
        let called =
            tokio::task::spawn_blocking(move || tool.call(&client, arguments.unwrap_or_default())).await;
        Ok(match called {
            Ok(Ok(answer)) => CallToolResult::success(vec![ContentBlock::text(answer)]).into(),
            Ok(Err(failure)) => refused(failure.to_string()),
            Err(error) => refused(format!("{name} did not come to an end: {error}; try it again")),
        })
    }
}

/// A failure that the assistant reads, and can do something about.
fn refused(reason: String) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(reason)]).into()
}

/// Names those that are listed.
fn unknown(name: &str, may_write: bool) -> ErrorData {
    let names = AssistantTool::all(may_write).map(AssistantTool::name).collect::<Vec<_>>().join(", ");
    ErrorData::invalid_params(Cow::Owned(format!("there is no tool {name:?}; there are {names}")), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_there_is_not_is_answered_with_those_that_are_listed() {
        let said = |may_write| unknown("nosuch", may_write).message.into_owned();
        assert!(
            said(false).contains("there are list, show") && !said(false).contains("submit"),
            "{}",
            said(false)
        );
        assert!(said(true).contains("submit"), "{}", said(true));
    }
}
