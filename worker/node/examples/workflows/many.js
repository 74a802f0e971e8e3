// Several workflows in one file, under names of their own: how executions end other than well, and state.

import { workflow } from "muster-worker";

class CardDeclined extends Error {
  retryable = false;
}

workflow("charge-card", ({ amount }) => {
  if (amount > 100) throw new CardDeclined(`${amount.toFixed(2)} is above the limit of 100.00; ask for a smaller amount`);
  return { charged: amount };
});

workflow("count", async ({ by = 1 }, ctx) => {
  const value = (await ctx.state.get("example.counter", 0)) + by;
  await ctx.state.set("example.counter", value);
  return value;
});

workflow("loop-for-ever", () => {
  while (true);
});

workflow("tidy-up", async ({ seconds = 60 }, ctx) => {
  try {
    await ctx.sleep(seconds * 1000);
  } finally {
    if (ctx.cancelled) ctx.log.warn("tidying up", { reason: ctx.signal.reason?.message });
  }
});

workflow("summarise-sales", ({ sales, count = 10_000 }, ctx) => {
  const regions = ["north", "south", "east", "west"];
  const all = sales ?? Array.from({ length: count }, (_, n) => ({ region: regions[n % 4], amount: (n % 97) + 0.5 }));
  const totals = {};
  for (const [at, { region, amount }] of all.entries()) {
    totals[region] = (totals[region] ?? 0) + amount;
    if ((at + 1) % 1000 === 0) ctx.progress(at + 1, all.length, "sales read");
  }
  return { count: all.length, totals };
});
