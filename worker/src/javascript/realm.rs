//! A realm: a fresh interpreter for one execution, made while nobody waits.
//!
//! Each execution gets an interpreter of its own, so that no global, no patched prototype and no memory of one
//! is there for the next. Making one takes about a tenth of a millisecond; the prelude is compiled only once.

use std::rc::{Rc, Weak};

use muster_protocol::ErrorInfo;
use rquickjs::module::WriteOptions;
use rquickjs::runtime::RejectionTracker;
use rquickjs::{CatchResultExt, Context, Ctx, FromJs, Function, Module, Object, Persistent, Result, Runtime};

use super::bindings;
use super::folder::WorkflowFolder;
use super::host::RealmHost;
use super::modules::Imports;
use crate::trusted::load_own_bytecode;

/// The interpreter's own stack. The thread that runs it has 8 MiB.
const STACK_BYTES: usize = 1024 * 1024;

/// What a realm takes before it has run anything, which is not the workflow's.
const REALM_BYTES: usize = 512 * 1024;
/// Garbage that refers to itself is first looked for when a realm has grown to this. The default is less than
/// a realm begins with, and most executions are over before.
const GC_THRESHOLD_BYTES: usize = 4 * 1024 * 1024;

/// The parts of ours that every realm begins with, compiled.
#[derive(Clone)]
pub(crate) struct Prelude {
    core: Rc<[u8]>,
    values: Rc<[u8]>,
    web: Rc<[u8]>,
}

impl Prelude {
    /// # Errors
    /// When there is no memory for an interpreter.
    pub(crate) fn compile() -> std::result::Result<Self, ErrorInfo> {
        let compile = |name: &str, source: &str| -> std::result::Result<Rc<[u8]>, ErrorInfo> {
            let failed = |error: String| ErrorInfo::new("InterpreterFailed", format!("{name}: {error}"));
            let runtime = Runtime::new().map_err(|error| failed(error.to_string()))?;
            let context = Context::full(&runtime).map_err(|error| failed(error.to_string()))?;
            context.with(|ctx| {
                let options = WriteOptions { strip_source: true, ..WriteOptions::default() };
                Module::declare(ctx.clone(), name, source)
                    .and_then(|module| module.write(options))
                    .catch(&ctx)
                    .map(Rc::from)
                    .map_err(|error| failed(error.to_string()))
            })
        };
        Ok(Self {
            core: compile("muster:prelude", include_str!("prelude.js"))?,
            // What values mean is the same in both JavaScript workers, so it is the same file.
            values: compile("muster:values", include_str!("../../node/src/values.js"))?,
            web: compile("muster:web", include_str!("web.js"))?,
        })
    }
}

/// An interpreter that has run nothing yet.
pub(crate) struct Realm {
    // Fields are dropped in this order: values before the context, which owns the runtime.
    pub(crate) kit: Rc<Persistent<Object<'static>>>,
    pub(crate) host: Rc<RealmHost>,
    pub(crate) memory_limit_mb: u64,
    pub(crate) context: Context,
}

impl Realm {
    /// # Errors
    /// When there is no memory for an interpreter, or the limit leaves none.
    pub(crate) fn new(
        prelude: &Prelude,
        folder: &WorkflowFolder,
        memory_limit_mb: u64,
    ) -> std::result::Result<Self, ErrorInfo> {
        let failed = |error: &dyn std::fmt::Display| {
            ErrorInfo::new("InterpreterFailed", format!("cannot make a JavaScript interpreter: {error}"))
        };
        let runtime = Runtime::new().map_err(|error| failed(&error))?;
        runtime.set_max_stack_size(STACK_BYTES);
        runtime.set_gc_threshold(GC_THRESHOLD_BYTES);
        runtime.set_loader(Imports, folder.clone());
        let host = Rc::new(RealmHost::default());
        let interrupt = Rc::clone(&host);
        runtime.set_interrupt_handler(Some(Box::new(move || interrupt.must_stop())));
        let context = Context::full(&runtime).map_err(|error| failed(&error))?;
        let kit =
            context.with(|ctx| install(&ctx, prelude, &host).catch(&ctx).map_err(|error| failed(&error)))?;
        let kit = Rc::new(kit);
        runtime.set_host_promise_rejection_tracker(Some(track_rejections(Rc::downgrade(&kit))));
        if memory_limit_mb > 0 {
            let limit = usize::try_from(memory_limit_mb).unwrap_or(usize::MAX).saturating_mul(1024 * 1024);
            runtime.set_memory_limit(limit.saturating_add(REALM_BYTES));
        }
        Ok(Self { kit, host, memory_limit_mb, context })
    }

    /// True when nearly all the memory it may use is used.
    pub(crate) fn is_full(&self) -> bool {
        let used = self.context.runtime().memory_usage().malloc_size;
        let limit_bytes = self.memory_limit_mb.saturating_mul(1024 * 1024);
        self.memory_limit_mb > 0 && u64::try_from(used).unwrap_or(0) > limit_bytes / 10 * 9
    }
}

/// Tells the prelude of promises that are rejected without a handler. The realm owns the kit, so that it is
/// gone before the interpreter is.
fn track_rejections(kit: Weak<Persistent<Object<'static>>>) -> RejectionTracker {
    Box::new(move |ctx, promise, reason, handled| {
        let told = kit.upgrade().map(|kit| -> Result<()> {
            let kit = Persistent::clone(&kit).restore(&ctx)?;
            kit.get::<_, Function<'_>>("rejected")?.call((promise, reason, handled))
        });
        // Without memory for the note there is no note; the exception must not stay behind.
        if let Some(Err(_)) = told {
            ctx.catch();
        }
    })
}

fn install<'js>(
    ctx: &Ctx<'js>,
    prelude: &Prelude,
    host: &Rc<RealmHost>,
) -> Result<Persistent<Object<'static>>> {
    let native = bindings::native(ctx, host)?;
    let web = Rc::clone(&prelude.web);
    native.set(
        "web",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>| load_default::<Function<'js>>(&ctx, &web))?,
    )?;
    native.set("values", load_default::<Object<'js>>(ctx, &prelude.values)?)?;
    let install: Function<'js> = load_default(ctx, &prelude.core)?;
    let kit: Object<'js> = install.call((native,))?;
    Ok(Persistent::save(ctx, kit))
}

/// The default export of a module of ours.
fn load_default<'js, T: FromJs<'js>>(ctx: &Ctx<'js>, bytecode: &[u8]) -> Result<T> {
    let (module, evaluated) = load_own_bytecode(ctx, bytecode)?.eval()?;
    evaluated.finish::<()>()?;
    module.get("default")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_takes_what_is_set_aside_for_it() {
        let prelude = Prelude::compile().unwrap();
        let realm = Realm::new(&prelude, &WorkflowFolder::default(), 0).unwrap();
        let usage = usize::try_from(realm.context.runtime().memory_usage().malloc_size).unwrap();
        assert!((REALM_BYTES / 8..REALM_BYTES).contains(&usage), "{usage}");
    }
}
