"""RQ's side: a worker that forks for each job, as it does by default."""

import os


def work(text: str) -> int:
    return len(text)


if __name__ == "__main__":
    from redis import Redis
    from rq import Queue, Worker

    connection = Redis.from_url(os.environ["RQ_URL"])
    Worker([Queue(connection=connection)], connection=connection).work(logging_level="ERROR")
