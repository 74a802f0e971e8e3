"""Says at the end how many blocks ran, and which did not and why."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    import test_pages

    terminalreporter.section("blocks of code")
    terminalreporter.line(", ".join(f"{number} {kind}" for kind, number in test_pages.counts.items()))
    for reason in test_pages.reasons:
        terminalreporter.line(f"  not run: {reason}")
