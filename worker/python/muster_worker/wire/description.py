"""What code declares of itself, as Describe carries it. The layout is frozen, as that of the messages."""

# No `from __future__ import annotations` here: the codecs read the annotations as objects.
from typing import List, NamedTuple, Optional

from .shared import U32, U64, ErrorInfo, JsonText, requires


class DeclaredRetry(NamedTuple):
    """When it is tried again."""

    max_attempts: Optional[U32] = None
    backoff_ms: Optional[U64] = None
    backoff_factor_percent: Optional[U32] = None
    backoff_max_ms: Optional[U64] = None
    retry_on: List[str] = []
    give_up_on: List[str] = []


class DeclaredConcurrency(NamedTuple):
    """How many run at once."""

    total: Optional[U32] = None
    per_key: Optional[U32] = None
    key: str = ""
    on_full: str = ""


@requires("name")
class WorkflowDescription(NamedTuple):
    """What the code declares of one workflow; what is none or empty is not declared."""

    name: str
    description: str = ""
    source_file: str = ""
    timeout_ms: Optional[U64] = None
    retry: DeclaredRetry = DeclaredRetry()
    concurrency: DeclaredConcurrency = DeclaredConcurrency()
    limits: List[str] = []
    queue: str = ""
    parameters: JsonText = b""
    more: JsonText = b""


@requires("file")
class BrokenFile(NamedTuple):
    """A file that could not be loaded."""

    file: str
    error: ErrorInfo
