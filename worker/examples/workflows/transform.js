// Turns a data set of orders into a summary per country, and reports progress on the way.
//
//   worker run transform                                   (makes up 10,000 orders)
//   worker run transform --params @orders.json             ({"records": [{"country", "amount_cents", "items"}, ...]})
//
// The loop gives way now and then with `await ctx.sleep(0)`, so that progress, log lines and a cancel get through
// while it works. It would be ended at its deadline without that too.
import { summarize } from "./lib/summary.js";

export default async function ({ records, count = 10_000, seed = 1 }, ctx) {
  const orders = records ?? makeUp(count, seed);
  if (!Array.isArray(orders)) throw new TypeError("the parameter records must be a list");
  const perCountry = new Map();
  const skipped = [];
  for (const [index, order] of orders.entries()) {
    if (!Number.isInteger(order?.amount_cents) || typeof order.country !== "string") {
      skipped.push(index);
    } else {
      const known = perCountry.get(order.country) ?? { orders: 0, items: 0, amount_cents: 0, largest_cents: 0 };
      known.orders += 1;
      known.items += order.items ?? 1;
      known.amount_cents += order.amount_cents;
      known.largest_cents = Math.max(known.largest_cents, order.amount_cents);
      perCountry.set(order.country, known);
    }
    if ((index + 1) % 1000 === 0 || index + 1 === orders.length) {
      ctx.progress(index + 1, orders.length, "orders");
      await ctx.sleep(0);
    }
  }
  if (skipped.length > 0) ctx.log.warn(`${skipped.length} records are no orders`, { first: skipped.slice(0, 5) });
  return { orders: orders.length, skipped: skipped.length, countries: summarize(perCountry) };
}

// The same seed gives the same orders, so that results can be compared.
function makeUp(count, seed) {
  let state = seed >>> 0;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const countries = ["CL", "DE", "JP", "KE", "NZ", "PT"];
  return Array.from({ length: count }, (_, id) => ({
    id, country: countries[random(countries.length)], amount_cents: 100 + random(50_000), items: 1 + random(9),
  }));
}
