"""Sphinx makes the site of the pages that site.py gathers: `scripts/test docs` builds it in target/docs/site."""

project = "Muster"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Muster"
html_show_copyright = False
# GitHub's addresses of headings, so that a link works there and here.
myst_heading_anchors = 6
# A heading that leaves out a level is a matter of style.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
