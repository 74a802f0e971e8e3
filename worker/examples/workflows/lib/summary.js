// A helper that workflows import. It exports no default function, so it is no workflow of its own.

/** The countries by the money they brought, with averages. */
export function summarize(perCountry) {
  return [...perCountry]
    .map(([country, sums]) => ({ country, ...sums, average_cents: Math.round(sums.amount_cents / sums.orders) }))
    .sort((a, b) => b.amount_cents - a.amount_cents || a.country.localeCompare(b.country));
}
