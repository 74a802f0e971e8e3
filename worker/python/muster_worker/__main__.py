"""`python -m muster_worker`."""

import sys

from muster_worker.command_line import main

if __name__ == "__main__":
    sys.exit(main())
