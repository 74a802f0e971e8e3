//! The functions of the host under the names prelude.js knows them by.

use std::rc::Rc;

use rquickjs::function::{Func, Opt};
use rquickjs::{ArrayBuffer, Ctx, Exception, Function, Object, Result};

use super::host::RealmHost;

/// The `native` object of prelude.js.
pub(crate) fn native<'js>(ctx: &Ctx<'js>, host: &Rc<RealmHost>) -> Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    about_the_run(&native, host)?;
    waiting(&native, host)?;
    bytes(ctx, &native, host)?;
    Ok(native)
}

fn about_the_run(native: &Object<'_>, host: &Rc<RealmHost>) -> Result<()> {
    let at = Rc::clone(host);
    native.set(
        "log",
        Func::from(move |level: i32, logger: String, message: String, fields: Opt<Option<String>>| {
            at.log(level, &logger, &message, fields.0.flatten());
        }),
    )?;
    let at = Rc::clone(host);
    native.set(
        "progress",
        Func::from(move |current: f64, total: f64, message: String| at.progress(current, total, &message)),
    )?;
    let at = Rc::clone(host);
    native.set("params", Func::from(move || at.params()))?;
    let at = Rc::clone(host);
    native.set("unfit", Func::from(move || at.unfit()))?;
    let at = Rc::clone(host);
    native.set("context", Func::from(move || at.context()))?;
    let at = Rc::clone(host);
    native.set("info", Func::from(move || at.info()))?;
    let at = Rc::clone(host);
    native.set("cancelled", Func::from(move || at.cancelled()))?;
    let at = Rc::clone(host);
    native.set("listen", Func::from(move || at.listen()))
}

fn waiting(native: &Object<'_>, host: &Rc<RealmHost>) -> Result<()> {
    let at = Rc::clone(host);
    native.set("timer", Func::from(move |delay_ms: f64| at.start_timer(delay_ms)))?;
    let at = Rc::clone(host);
    native.set("untimer", Func::from(move |id: u32| at.stop_timer(id)))?;
    let at = Rc::clone(host);
    native.set("call", Func::from(move |method: String, params: String| at.call(&method, params)))?;
    let at = Rc::clone(host);
    native.set("unfetch", Func::from(move |id: u32| at.abandon_fetch(id)))
}

fn bytes<'js>(ctx: &Ctx<'js>, native: &Object<'js>, host: &Rc<RealmHost>) -> Result<()> {
    let at = Rc::clone(host);
    let fetch = move |ctx: Ctx<'js>, request: String, body: Opt<Option<ArrayBuffer<'js>>>| -> Result<u32> {
        let body = body.0.flatten().map(|body| copy(&ctx, &body)).transpose()?;
        at.fetch(&request, body).map_err(|error| Exception::throw_type(&ctx, &error))
    };
    native.set("fetch", Function::new(ctx.clone(), fetch)?)?;
    let encode = |ctx: Ctx<'js>, text: String| ArrayBuffer::new(ctx, text.into_bytes());
    native.set("encode", Function::new(ctx.clone(), encode)?)?;
    let decode = |ctx: Ctx<'js>, buffer: ArrayBuffer<'js>, fatal: bool| -> Result<String> {
        let bytes = copy(&ctx, &buffer)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) if fatal => Err(Exception::throw_type(&ctx, "the bytes are not UTF-8 text")),
            Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        }
    };
    native.set("decode", Function::new(ctx.clone(), decode)?)
}

fn copy<'js>(ctx: &Ctx<'js>, buffer: &ArrayBuffer<'js>) -> Result<Vec<u8>> {
    crate::trusted::copy_buffer(buffer)
        .ok_or_else(|| Exception::throw_type(ctx, "the ArrayBuffer is detached"))
}
