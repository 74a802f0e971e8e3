"""Dramatiq's side: one actor that keeps nothing, and one whose result is asked for."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=os.environ["DRAMATIQ_URL"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["DRAMATIQ_URL"])))
dramatiq.set_broker(broker)


@dramatiq.actor
def work(text: str) -> None:
    len(text)


@dramatiq.actor(store_results=True)
def answer(text: str) -> int:
    return len(text)
