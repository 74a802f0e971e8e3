"""Ten thousand records through a data class, with progress and a useful failure."""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import Optional

from muster_worker import context, workflow


@dataclass
class Sale:
    region: str
    amount: float


@workflow(name="summarise-sales", timeout=60)
def summarise(sales: Optional[list[Sale]] = None, count: int = 10_000) -> dict:
    """Sums what it is given, or a made-up data set of `count` sales."""
    if sales is None:
        sales = [Sale(("north", "south", "east", "west")[n % 4], n % 97 + 0.5) for n in range(count)]
    totals: dict[str, float] = collections.defaultdict(float)
    for number, sale in enumerate(sales, 1):
        if sale.amount < 0:
            raise ValueError(f"sale {number} has a negative amount: {sale.amount}")
        totals[sale.region] += sale.amount
        if number % 1000 == 0:
            context.progress(number, len(sales), "sales read")
    return {"count": len(sales), "totals": dict(sorted(totals.items()))}
