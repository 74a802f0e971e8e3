//! How `import` finds its module: files of the workflows folder, by relative path, and nothing else.

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Exception, Module, Result};

use super::folder::{WorkflowFolder, resolve_import};

/// What the name of inline code begins with. Its imports are relative to the workflows folder.
pub(crate) const INLINE_PREFIX: &str = "inline:";

/// Turns what a source file says into a path beneath the folder.
pub(crate) struct Imports;

impl Resolver for Imports {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if !name.starts_with("./") && !name.starts_with("../") {
            let help = format!(
                "cannot import {name:?} from {base}: a workflow imports files of its folder by a relative path, such as \"./lib/{}.js\"",
                name.trim_start_matches('/').trim_end_matches(".js")
            );
            return Err(Exception::throw_type(ctx, &help));
        }
        let importer = if base.starts_with(INLINE_PREFIX) { "" } else { base };
        resolve_import(importer, name).ok_or_else(|| {
            let help = format!("cannot import {name:?} from {base}: it leads outside the workflows folder");
            Exception::throw_type(ctx, &help)
        })
    }
}

impl Loader for WorkflowFolder {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let source = self.read(name).map_err(|error| {
            let hint = if name.ends_with(".js") { "" } else { " (imports name the whole file, with .js)" };
            Exception::throw_reference(ctx, &format!("{error}{hint}"))
        })?;
        if name.ends_with(".json") {
            return json_module(ctx, name, &source);
        }
        Module::declare(ctx.clone(), name, source)
    }
}

/// `import data from "./data.json"`.
fn json_module<'js>(ctx: &Ctx<'js>, name: &str, source: &str) -> Result<Module<'js, Declared>> {
    let value: serde_json::Value = serde_json::from_str(source)
        .map_err(|error| Exception::throw_syntax(ctx, &format!("{name}: not JSON: {error}")))?;
    let text = serde_json::to_string(&value.to_string())
        .map_err(|error| Error::new_loading_message(name, error.to_string()))?;
    Module::declare(ctx.clone(), name, format!("export default JSON.parse({text});"))
}
