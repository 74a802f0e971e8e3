//! JavaScript workflows: ES modules on embedded QuickJS.
//!
//! One interpreter per execution ([`realm`]), an event loop on the thread that runs it ([`script`]), what a
//! workflow can ask for ([`host`], under the names of prelude.js), and the only files it can see ([`folder`]).

mod bindings;
mod completions;
mod declaration;
mod fetch;
mod folder;
mod forbidden;
mod host;
mod modules;
mod realm;
mod script;
mod timers;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use folder::{WorkflowFileError, WorkflowFolder};
use modules::INLINE_PREFIX;
use muster_protocol::{CodeSource, ErrorInfo, RunOutcome, WorkflowDescription};
use realm::{Prelude, Realm};
use script::Script;

use crate::engine::{Engine, Init, Listed};
use crate::names;
use crate::run::{Downlink, WorkerRun};
use crate::sdk::WorkflowPolicy;
use crate::serve::exit;

/// A worker with more requests than this still under way for executions that have ended asks to be replaced.
const ABANDONED_FETCHES_MAX: usize = 16;

/// A run shorter than this does not take its interpreter apart before its outcome is sent.
const SHORT_RUN: Duration = Duration::from_millis(5);

/// Runs JavaScript. The engine of everything that no native workflow takes.
#[derive(Default)]
pub(crate) struct JavaScript {
    folder: WorkflowFolder,
    memory_limit_mb: u64,
    prelude: Option<Prelude>,
    /// The literals that workflows were described by.
    declared: BTreeMap<String, String>,
    /// Workflows whose files declare something else by now.
    changed: Vec<WorkflowDescription>,
    /// The realm of the next execution.
    spare: Option<Realm>,
    /// The realm of the last one, if taking it apart could wait.
    spent: Option<Realm>,
}

impl Engine for JavaScript {
    fn language(&self) -> Option<&'static str> {
        Some("javascript")
    }

    fn init(&mut self, init: &Init) -> Result<(), ErrorInfo> {
        self.folder = WorkflowFolder::new(init.workflows_dir.clone());
        if let Some(address) = init.api_address {
            forbidden::api_listens_on(address);
        }
        self.memory_limit_mb = init.memory_limit_mb.unwrap_or(0);
        self.prelude = Some(Prelude::compile()?);
        self.spare = Some(self.realm()?);
        Ok(())
    }

    fn list(&self) -> Vec<Listed> {
        let listed = |name: String| Listed { origin: format!("{name}.js"), name };
        self.folder.list().into_iter().map(listed).collect()
    }

    fn describe(&mut self) -> Vec<WorkflowDescription> {
        let names = self.folder.list();
        let described = names.into_iter().map(|name| {
            let source = self.folder.read(&format!("{name}.js")).unwrap_or_default();
            self.described(&name, &source)
        });
        described.collect()
    }

    fn describe_anew(&mut self) -> Vec<WorkflowDescription> {
        std::mem::take(&mut self.changed)
    }

    fn run(&mut self, run: &Arc<WorkerRun>, line: &Rc<dyn Downlink>) -> Option<RunOutcome> {
        let script = match self.find(run) {
            Ok(script) => script,
            Err(reason) => return Some(RunOutcome::Rejected { reason }),
        };
        self.note_declaration(run, &script);
        let realm = match self.spare.take().map_or_else(|| self.realm(), Ok) {
            Ok(realm) => realm,
            Err(error) => return Some(RunOutcome::Failed { error }),
        };
        run.start();
        realm.host.enter(Arc::clone(run), Rc::clone(line));
        let outcome = script::execute(&realm, &script);
        // A short run has not used much memory, so nobody has to wait until it is given back. After a long one
        // the resident set that Idle reports must not hold what is garbage already.
        if run.started_at().elapsed() < SHORT_RUN {
            self.spent = Some(realm);
        }
        Some(outcome)
    }

    fn prepare(&mut self) -> bool {
        let spent = self.spent.take();
        if self.spare.is_some() && spent.is_none() {
            return false;
        }
        drop(spent);
        // If this fails the next execution tries again, and says why.
        if self.spare.is_none() {
            self.spare = self.realm().ok();
        }
        true
    }

    fn wants_recycling(&self) -> bool {
        fetch::abandoned() > ABANDONED_FETCHES_MAX
    }
}

impl JavaScript {
    fn realm(&self) -> Result<Realm, ErrorInfo> {
        let prelude = self.prelude.clone().map_or_else(Prelude::compile, Ok)?;
        Realm::new(&prelude, &self.folder, self.memory_limit_mb)
    }

    /// What a file declares, remembered.
    fn described(&mut self, name: &str, source: &str) -> WorkflowDescription {
        let literal = declaration::literal_in(source);
        match literal {
            Some(literal) => self.declared.insert(name.to_owned(), literal.to_owned()),
            None => self.declared.remove(name),
        };
        let file = format!("{name}.js");
        let policy = match literal {
            Some(literal) => declaration::read(literal),
            None if declaration::seems_to_declare(source) => Err(declaration::NOT_CUT_OUT.to_owned()),
            None => Ok(WorkflowPolicy::new()),
        };
        let policy = policy.unwrap_or_else(|why| {
            exit::complain(&format!("{file}: `export const muster` does not count: {why}"));
            WorkflowPolicy::new()
        });
        policy.describe(name, &file)
    }

    /// The file of a workflow may have changed since it was described.
    fn note_declaration(&mut self, run: &WorkerRun, script: &Script) {
        let name = &run.request.workflow;
        if matches!(run.request.source, CodeSource::Named)
            && declaration::literal_in(&script.source) != self.declared.get(name).map(String::as_str)
        {
            let described = self.described(name, &script.source);
            self.changed.push(described);
        }
    }

    /// The script to run, or why there is none.
    fn find(&self, run: &WorkerRun) -> Result<Script, String> {
        let default = || "default".to_owned();
        match &run.request.source {
            CodeSource::Named => {
                let workflow = &run.request.workflow;
                if !names::is_well_formed(workflow) {
                    return Err(format!(
                        "{workflow:?} is not a workflow's name: letters, digits, - and _, in parts with / between"
                    ));
                }
                let name = format!("{workflow}.js");
                match self.folder.read(&name) {
                    Ok(source) => Ok(Script { name, source, function: default() }),
                    Err(WorkflowFileError::NotFound { folder, .. }) => {
                        let why = self.folder.of_another_worker(workflow);
                        let why = why.unwrap_or_else(|| names::not_found(workflow, &self.folder.list()));
                        Err(format!("{why} ({folder})"))
                    }
                    Err(error) => Err(error.to_string()),
                }
            }
            CodeSource::Path { path, function } => {
                let name = folder::resolve_import("", path)
                    .ok_or_else(|| format!("{path} leads outside the workflows folder"))?;
                let source = self.folder.read(&name).map_err(|error| error.to_string())?;
                let function = if function.is_empty() { default() } else { function.clone() };
                Ok(Script { name, source, function })
            }
            CodeSource::Inline { language, code } => {
                if !matches!(language.to_ascii_lowercase().as_str(), "" | "javascript" | "js") {
                    return Err(format!("this worker runs JavaScript, and was sent code in {language:?}"));
                }
                let source = String::from_utf8(code.0.to_vec())
                    .map_err(|_| "the inline code is not UTF-8 text".to_owned())?;
                let label: String = run.request.workflow.chars().filter(|c| !c.is_control()).collect();
                let name = format!("{INLINE_PREFIX}{label}");
                Ok(Script { name, source, function: default() })
            }
        }
    }
}
