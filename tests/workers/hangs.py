"""Does not come back while it is loaded."""
import time

from muster_worker import workflow


@workflow
def never():
    return None


while True:
    time.sleep(1)
