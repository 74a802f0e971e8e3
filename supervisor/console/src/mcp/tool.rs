//! The tools that there are: what an assistant is told of each, before it calls one.

use std::any::Any;
use std::sync::Arc;

use rmcp::handler::server::tool::schema_for_input;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;

use super::arguments::{
    ExecutionArguments, ListArguments, LogsArguments, NoArguments, ShowArguments, SubmitArguments,
};

/// Something that an assistant may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AssistantTool {
    List,
    Show,
    Logs,
    Explain,
    Report,
    Status,
    Submit,
    Cancel,
    Retry,
}

impl AssistantTool {
    const ALL: [Self; 9] = [
        Self::List,
        Self::Show,
        Self::Logs,
        Self::Explain,
        Self::Report,
        Self::Status,
        Self::Submit,
        Self::Cancel,
        Self::Retry,
    ];

    /// The tools of a server that may write, or may not.
    pub(super) fn all(may_write: bool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |tool| may_write || !tool.writes())
    }

    pub(super) fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Show => "show",
            Self::Logs => "logs",
            Self::Explain => "explain",
            Self::Report => "report",
            Self::Status => "status",
            Self::Submit => "submit",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
        }
    }

    /// True for what changes something, and so is there only where that was allowed.
    pub(super) fn writes(self) -> bool {
        match self {
            Self::List | Self::Show | Self::Logs | Self::Explain | Self::Report | Self::Status => false,
            Self::Submit | Self::Cancel | Self::Retry => true,
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::List => "List executions, newest first: id, state, workflow, times and error of each.",
            Self::Show => {
                "Show one execution whole: state, parameters, result or error with its stack, attempts."
            }
            Self::Logs => "Read the log of an execution, a page at a time, oldest line first.",
            Self::Explain => "Say why an execution does not run yet, where it runs, or how it ended.",
            Self::Report => {
                "Say how the fleet is: each part with a verdict, what it is judged by, and what to do."
            }
            Self::Status => "Show whether the supervisor can take work, and what each of its workers does.",
            Self::Submit => "Submit an execution of a workflow. It runs code for real.",
            Self::Cancel => "Cancel an execution, waiting or running. This cannot be taken back.",
            Self::Retry => {
                "Run an execution again with the same request, as a new one. It runs code for real."
            }
        }
    }

    /// What an assistant with this tool is told of it.
    pub(super) fn described(self) -> Tool {
        let hints = ToolAnnotations::new()
            .read_only(!self.writes())
            .destructive(self == Self::Cancel)
            .open_world(self.writes());
        Tool::new(self.name(), self.about(), self.arguments()).with_annotations(hints)
    }

    fn arguments(self) -> Arc<JsonObject> {
        match self {
            Self::List => schema_of::<ListArguments>(),
            Self::Show => schema_of::<ShowArguments>(),
            Self::Logs => schema_of::<LogsArguments>(),
            Self::Explain | Self::Cancel | Self::Retry => schema_of::<ExecutionArguments>(),
            Self::Report | Self::Status => schema_of::<NoArguments>(),
            Self::Submit => schema_of::<SubmitArguments>(),
        }
    }
}

/// The schema of these arguments. All of them are objects, which is all that could be wrong with one: a test looks at each.
fn schema_of<T: JsonSchema + Any>() -> Arc<JsonObject> {
    schema_for_input::<T>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_says_what_it_does_and_what_each_argument_means() {
        for tool in AssistantTool::ALL {
            assert_eq!(AssistantTool::called(tool.name()), Some(tool));
            let described = tool.described();
            let schema = described.schema_as_json_value();
            assert_eq!(schema["type"], "object", "{tool:?}");
            assert_eq!(schema["additionalProperties"], false, "{tool:?}");
            for (name, argument) in schema["properties"].as_object().into_iter().flatten() {
                assert!(argument["description"].is_string(), "{tool:?} {name}: {argument}");
            }
        }
    }

    #[test]
    fn nothing_that_writes_is_there_unless_it_was_allowed() {
        let names = |may_write| AssistantTool::all(may_write).map(AssistantTool::name).collect::<Vec<_>>();
        assert_eq!(names(false), ["list", "show", "logs", "explain", "report", "status"]);
        assert_eq!(names(true).len(), AssistantTool::ALL.len());
        for tool in AssistantTool::all(false) {
            assert_eq!(tool.described().annotations.and_then(|hints| hints.read_only_hint), Some(true));
        }
    }

    #[test]
    fn only_what_no_call_can_be_without_is_required() {
        let required = |tool: AssistantTool| tool.described().schema_as_json_value()["required"].clone();
        assert_eq!(required(AssistantTool::List), serde_json::Value::Null);
        assert_eq!(required(AssistantTool::Show), serde_json::json!(["id"]));
        assert_eq!(required(AssistantTool::Submit), serde_json::json!(["workflow"]));
    }
}
