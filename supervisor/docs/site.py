"""Gathers the pages of the site in a folder, with links that lead somewhere there, and checks every one of them.

    python3 supervisor/docs/site.py FOLDER

Pages that stand beside what they describe stay there and are brought in, so that nothing is written twice. A link in a page
is written for who reads the repository. Here it becomes a link to the page of that file; one to a file that is no page becomes
its name. What leads nowhere, a heading that is not there too, is told, and the exit code is 1.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OWN = "supervisor/docs/pages"
#: Where each of these files is in the site.
BROUGHT = {
    "CHANGELOG.md": "reference/changes.md",
    "CONTRIBUTING.md": "explanation/architecture.md",
    "README.md": "explanation/muster.md",
    "protocol/SPEC.md": "reference/protocol.md",
    "supervisor/ADMISSION.md": "explanation/admission.md",
    "supervisor/CONFINEMENT.md": "explanation/confinement.md",
    "supervisor/LAUNCHERS.md": "how-to/launchers.md",
    "supervisor/OPERATIONS.md": "how-to/operate.md",
    "supervisor/PERFORMANCE.md": "explanation/performance.md",
    "supervisor/clients/MIGRATING.md": "how-to/migrating.md",
    "supervisor/clients/node/README.md": "reference/client-node.md",
    "supervisor/clients/python/README.md": "reference/client-python.md",
    "supervisor/clients/rust/README.md": "reference/client-rust.md",
    "supervisor/deploy/README.md": "how-to/deploy.md",
    "worker/README.md": "how-to/worker.md",
    "worker/node/README.md": "how-to/node-worker.md",
    "worker/python/README.md": "how-to/python-worker.md",
}

#: The four parts, each with its pages in their order.
PARTS = {
    "Tutorial": ["tutorial/first", "tutorial/python", "tutorial/node"],
    "How to": [
        "how-to/migrating",
        "how-to/python-worker",
        "how-to/node-worker",
        "how-to/worker",
        "how-to/rabbitmq",
        "how-to/deploy",
        "how-to/operate",
        "how-to/access",
        "how-to/assistant",
        "how-to/launchers",
    ],
    "Reference": [
        "reference/client-python",
        "reference/client-node",
        "reference/client-rust",
        "reference/settings",
        "reference/commands",
        "reference/http",
        "reference/access",
        "reference/messages",
        "reference/errors",
        "reference/metrics",
        "reference/tables",
        "reference/redis",
        "reference/protocol",
        "reference/changes",
    ],
    "Explanation": [
        "explanation/muster",
        "explanation/admission",
        "explanation/confinement",
        "explanation/performance",
        "explanation/architecture",
    ],
}

_FENCE = re.compile(r"^(\s*```)(\w*)[^\n`]*$")
_HEADING = re.compile(r"^#+ (.*)$")
_LINK = re.compile(r"\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_SPAN = re.compile(r"(`[^`]*`)")


class Site:
    """All pages by their place in the site, and what is wrong with them."""

    def __init__(self) -> None:
        self.sources = {page: source for source, page in BROUGHT.items()}
        for path in sorted((REPOSITORY / OWN).rglob("*.md")):
            page = path.relative_to(REPOSITORY / OWN).as_posix()
            self.sources[page] = f"{OWN}/{page}"
        self.pages = {source: page for page, source in self.sources.items()}
        self.texts = {page: (REPOSITORY / source).read_text() for page, source in self.sources.items()}
        self.anchors = {page: anchors(text) for page, text in self.texts.items()}
        self.problems: list[str] = []
        self.links = 0

    def rendered(self, page: str) -> str:
        """A page as the site has it."""
        lines, fenced, hidden = [], False, False
        for line in self.texts[page].split("\n"):
            if found := _FENCE.match(line):
                # Words behind the language are for the tests.
                line, fenced = found[1] + found[2], not fenced
            elif hidden or (line.startswith("<!-- ") and not fenced):
                # What is hidden is for the tests, too.
                hidden = not line.endswith("-->")
                continue
            elif not fenced:
                line = self._with_links(line, page)
            lines.append(line)
        return "\n".join(lines)

    def _with_links(self, line: str, page: str) -> str:
        if "](" not in line:
            return line
        # A link may have code in its text, code has no links.
        spans = [one for one in _SPAN.findall(line) if "](" in one]
        kept = {f"\x00{number}\x00": span for number, span in enumerate(spans)}
        for mark, span in kept.items():
            line = line.replace(span, mark)
        line = _LINK.sub(lambda link: self._link(link["text"], link["target"], page), line)
        for mark, span in kept.items():
            line = line.replace(mark, span)
        return line

    def _link(self, text: str, target: str, page: str) -> str:
        way, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            return f"[{text}]({target})"
        self.links += 1
        source = self.sources[page]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), way)) if way else source
        # A folder stands for the page in it.
        to = self.pages.get(wanted) or self.pages.get(posixpath.join(wanted, "README.md"))
        if to:
            if anchor and anchor not in self.anchors[to]:
                self.problems.append(f"{source}: {target}: there is no such heading")
            relative = os.path.relpath(to, posixpath.dirname(page) or ".") if way else ""
            return f"[{text}]({relative}{'#' if anchor else ''}{anchor})"
        if not (REPOSITORY / wanted).exists():
            self.problems.append(f"{source}: {target}: there is no such file")
        return text if "`" in text else f"{text} (`{wanted}`)"


def anchors(text: str) -> set[str]:
    """The addresses of the headings of a page, as the site makes them."""
    found: set[str] = set()
    fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and (heading := _HEADING.match(line)):
            name = re.sub(r"[^\w\- ]", "", _LINK.sub(lambda link: link["text"], heading[1]).lower()).strip().replace(" ", "-")
            again = 0
            while (one := f"{name}_{again}" if again else name) in found:
                again += 1
            found.add(one)
    return found


def contents() -> str:
    """The navigation, at the end of the first page."""
    parts = ["\n".join(["```{toctree}", ":hidden:", f":caption: {part}", "", *pages, "```"]) for part, pages in PARTS.items()]
    return "\n\n" + "\n\n".join(parts) + "\n"


def main() -> int:
    folder = Path(sys.argv[1])
    site = Site()
    shutil.rmtree(folder, ignore_errors=True)
    for page in site.sources:
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(site.rendered(page))
    (folder / "index.md").write_text(site.rendered("index.md") + contents())
    navigation = {"index.md", *(f"{page}.md" for pages in PARTS.values() for page in pages)}
    site.problems += [f"PARTS names {page}, which is not there" for page in sorted(navigation - set(site.sources))]
    site.problems += [f"PARTS does not name {page}" for page in sorted(set(site.sources) - navigation)]
    for problem in site.problems:
        print(problem, file=sys.stderr)
    print(f"pages: {len(site.sources)}, {site.links} links within, {len(site.problems)} lead nowhere")
    return 1 if site.problems else 0


if __name__ == "__main__":
    sys.exit(main())
