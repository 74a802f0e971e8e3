// Recorded once, replayed for ever: see version_1.jsonl beside this folder.
export default async function ({ amount }, ctx) {
  ctx.log.info("charging", { amount });
  const orders = (await ctx.state.get("orders")) ?? 0;
  await ctx.state.set("orders", orders + 1);
  const region = await ctx.config.get("region");
  console.warn(`limit of ${region ?? "eu"}`);
  if (amount > 10) throw new RangeError(`${amount} is over the limit of order ${orders}`);
  return { charged: amount, orders: orders + 1 };
}
