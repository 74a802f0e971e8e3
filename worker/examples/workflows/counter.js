// Counts how often it was run, in state that outlives executions.
//
//   worker run counter --state visits=41
//
// What `ctx.state.set` writes is seen by later reads of the same execution at once, and by other executions when this
// one has ended: the supervisor stores it together with the result, or not at all.
export default async function ({ key = "visits", by = 1 }, ctx) {
  const before = (await ctx.state.get(key)) ?? 0;
  await ctx.state.set(key, before + by);
  const after = await ctx.state.get(key);
  ctx.log.info(`${key}: ${before} -> ${after}`);
  return { key, before, after };
}
