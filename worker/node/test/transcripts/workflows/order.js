export default async function ({ amount }, ctx) {
  ctx.log.info("charging", { amount });
  const n = await ctx.state.get("orders", 0);
  await ctx.state.set("orders", n + 1);
  const region = await ctx.config.get("region", "eu");
  console.warn("limit of", region);
  if (amount > 10) throw new RangeError(`${amount} is over the limit of order ${n}`);
  return { n, region };
}
