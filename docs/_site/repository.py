"""Pages of the repository that the site shows, and links to files that it does not show."""

import os
import re
from pathlib import Path

REPOSITORY = "https://github.com/sklstm/sklstm"
ROOT = Path(__file__).parents[2]
# The page of the site for each page outside of docs/.
PAGES = {
    "CHANGES.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "docs/README.md": "guide.md",
    "benchmarks/README.md": "results_speed.md",
    "benchmarks/ACCURACY.md": "results_accuracy.md",
}
INCLUDE = re.compile(r"```\{include\} (\S+)\n```")
DOCUMENT = re.compile(r"`{0,2}docs/(\w+)\.md`{0,2}")
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?(?=\))")


def read_repository_page(app, docname, source):
    """Replace each include by the included page, and each link out of docs/ by one that works."""
    path = Path(app.env.doc2path(docname)).resolve()
    if path.suffix != ".md":
        return

    def included(match):
        page = (path.parent / match[1]).resolve()
        return with_site_links(page.read_text(), page.parent, path.parent)

    source[0] = INCLUDE.sub(included, with_site_links(source[0], path.parent, path.parent))


def with_site_links(text, here, there):
    """Rewrite the links of a page in the folder `here` for a page of the site in `there`."""

    def rewrite(match):
        path, anchor = match[1], match[2] or ""
        target = (here / path).resolve()
        if not target.exists() or not target.is_relative_to(ROOT):
            return match[0]
        name = target.relative_to(ROOT).as_posix()
        if name in PAGES:
            target = ROOT / "docs" / PAGES[name]
            anchor = "" if name == "README.md" else anchor
        elif not name.startswith("docs/") and target.suffix != ".png":
            return f"{REPOSITORY}/blob/main/{name}{anchor}"
        return Path(os.path.relpath(target, there)).as_posix() + anchor

    return LINK.sub(rewrite, text)


def link_pages(app, what, name, documented, options, lines):
    """Turn `docs/NAME.md` in a docstring into a link to the page."""
    lines[:] = [DOCUMENT.sub(r":doc:`/\1`", line) for line in lines]
