"""How an execution can end other than well."""

import time

from muster_worker import Cancelled, context, shield, workflow


class CardDeclined(Exception):
    """The class name becomes the error type; `retryable` tells the supervisor what another attempt is worth."""

    retryable = False


@workflow(name="charge-card")
def charge_card(amount: float) -> dict:
    if amount > 100:
        raise CardDeclined(f"{amount:.2f} is above the limit of 100.00; ask for a smaller amount")
    return {"charged": amount}


@workflow(name="loop-for-ever")
def loop_for_ever() -> None:
    """Ends as TIMEOUT or CANCELLED all the same."""
    while True:
        pass


@workflow(name="tidy-up")
def tidy_up(seconds: float = 60) -> None:
    """Does not leave half a thing behind when it is cancelled."""
    try:
        with shield():
            context.log.info("this part is never torn")
        time.sleep(seconds)
    except Cancelled as cancelled:
        context.log.warn("tidying up", reason=cancelled.reason)
        raise
