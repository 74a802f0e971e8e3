"""Pages through an HTTP API with retries: asyncio around blocking reads, configuration, cancellation."""

import asyncio
import json
import logging
import urllib.error
import urllib.parse
import urllib.request

from muster_worker import context, workflow

log = logging.getLogger(__name__)
ATTEMPTS = 4


@workflow(name="fetch-pages")
async def fetch_pages(url: str, pages: int = 3) -> dict:
    """Reads `{url}?page=N` for each page and counts the items."""
    token = await asyncio.to_thread(context.config.get, "api_token")
    items = 0
    for page in range(1, pages + 1):
        body = await fetch(f"{url}?{urllib.parse.urlencode({'page': page})}", token)
        items += len(body.get("items", []))
        context.progress(page, pages)
    return {"pages": pages, "items": items}


async def fetch(url: str, token: "str | None") -> dict:
    """One page; what may pass is tried again, a little later each time."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await asyncio.to_thread(read_json, request)
        except urllib.error.URLError as error:
            status = getattr(error, "code", 503)
            if attempt == ATTEMPTS or status < 500:
                raise
            log.warning("page failed, trying again", extra={"url": url, "attempt": attempt, "reason": str(error)})
            await asyncio.sleep(0.1 * 2**attempt)
    raise AssertionError("unreachable")


def read_json(request: urllib.request.Request) -> dict:
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
