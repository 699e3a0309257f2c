"""The documentation site, as far as it can be tested without Sphinx."""

import importlib
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
MODULES = ["sklstm", "sklstm.datasets", "sklstm.inspection", "sklstm.metrics", "sklstm.plotting"]
PUBLIC = [
    *(f"{name}.{item}" for name in MODULES for item in importlib.import_module(name).__all__),
    "sklstm.cluster.on_dask",
]


@pytest.fixture
def import_tool(monkeypatch):
    """Import a module of the folders that build the site."""
    monkeypatch.setattr(sys, "path", [str(DOCS), str(DOCS / "_site"), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module


def referenced_names():
    """Return the full names that the API reference lists."""
    names, module = [], None
    for line in (DOCS / "api.md").read_text().splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   [\w.]+", line):
            names.append(f"{module}.{line.strip()}")
    return names


def test_reference_lists_each_public_name_once():
    assert sorted(referenced_names()) == sorted(PUBLIC)


def test_navigation_reaches_every_page():
    linked = {"index"}
    for page in DOCS.rglob("*.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            entries = (re.search(r"[^<>]+(?=>?$)", line)[0] for line in tree.split("\n") if line)
            linked |= {
                (page.parent / name).resolve().relative_to(DOCS.resolve()).as_posix()
                for name in entries
            }
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    assert pages - linked == {"README"}


@pytest.mark.parametrize(
    ("here", "link", "expected"),
    [
        ("docs", "../README.md#pipeline", "index.md"),
        ("docs", "../benchmarks/README.md", "results_speed.md"),
        ("docs", "../examples/next_step.py", "https://github.com/sklstm/sklstm/blob/main/examples/next_step.py"),
        ("docs", "panels.md#targets", "panels.md#targets"),
        (".", "docs/decisions.md#scaling", "decisions.md#scaling"),
        ("benchmarks", "ACCURACY.md", "results_accuracy.md"),
        ("benchmarks", "growth.png", "../benchmarks/growth.png"),
        ("docs", "#targets", "#targets"),
        ("docs", "https://scikit-learn.org", "https://scikit-learn.org"),
    ],
)  # fmt: skip
def test_links_of_a_page_work_on_the_site(import_tool, here, link, expected):
    repository = import_tool("repository")
    text = f"See [it]({link}), and go on."
    rewritten = repository.with_site_links(text, DOCS.parent / here, DOCS)
    assert rewritten == f"See [it]({expected}), and go on."


def test_broken_links_are_found(import_tool, tmp_path):
    (tmp_path / "index.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#part">1</a><a href="b.html#gone">2</a>'
        '<a href="#top">3</a><img src="c.png"><a href="https://scikit-learn.org/x">4</a>'
    )
    (tmp_path / "b.html").write_text('<h2 id="part">B</h2><a href="index.html">5</a>')
    broken, n_pages = import_tool("check_links").broken_links(tmp_path)
    assert broken == ["index.html: b.html#gone", "index.html: c.png"]
    assert n_pages == 2
