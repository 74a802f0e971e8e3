"""Celery's side: two prefork processes, results kept."""

import os

from celery import Celery

app = Celery(broker=os.environ["CELERY_URL"], backend=os.environ["CELERY_URL"])


@app.task(name="work")
def work(text: str) -> int:
    return len(text)
