"""huey's side."""

import os

from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["HUEY_URL"])


@huey.task()
def work(text: str) -> int:
    return len(text)
