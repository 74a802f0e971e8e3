//! The spine, with the real binaries on the embedded default: executions in, exactly one right end each.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod admission;
mod batch;
mod batch_given_up;
mod batch_memory;
mod batch_pipes;
mod client;
mod copied;
mod deaths;
mod end_causes;
mod end_lines;
mod isolation;
mod lateness;
mod left;
mod memory;
mod outliving;
mod recycling;
mod restoring;
mod room;
mod rows;
mod starts;
mod system;
mod templates;
mod time;
mod unheard;
mod values;
mod violations;
mod windows;

/// Workflows that the suites share, each a file of the workflows folder.
mod workflows {
    use muster_tests::Installation;

    pub(crate) const ECHO: &str = "export default async (params) => params;\n";
    pub(crate) const THROW: &str = "export default async () => {\n  throw new RangeError('out of it');\n};\n";
    pub(crate) const SLEEP: &str =
        "export default async (params, ctx) => { await ctx.sleep(params.ms); return 'slept'; };\n";
    pub(crate) const BUSY: &str = "export default async () => { while (true) {} };\n";
    pub(crate) const CHATTY: &str = "export default async (params, ctx) => {
  for (let i = 0; i < params.count; i++) ctx.log.info(`line ${i} ` + 'x'.repeat(params.width));
  if (params.then === 'throw') throw new Error('after all that');
  if (params.then === 'hang') await ctx.sleep(1e9);
  return params.count;
};\n";

    /// An installation of the default worker with all of them, and with the conformance workflows.
    pub(crate) fn installed() -> Installation {
        Installation::new()
            .setting("worker_env", "MUSTER_CONFORMANCE=1")
            .workflow("echo.js", ECHO)
            .workflow("throw.js", THROW)
            .workflow("sleep.js", SLEEP)
            .workflow("busy.js", BUSY)
            .workflow("chatty.js", CHATTY)
    }
}
