"""The example gallery: the form of each example, its references, and a run of it."""

import ast
import importlib
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "examples"
EXAMPLES = sorted(GALLERY.glob("*/plot_*.py"))
each_example = pytest.mark.parametrize(
    "path", EXAMPLES, ids=lambda path: str(path.relative_to(GALLERY))
)


def blocks_of(path):
    """Split an example at the lines "# %%" into pairs of prose and code, as sphinx-gallery does."""
    source = path.read_text()
    end_of_docstring = ast.parse(source).body[0].end_lineno
    rest = "".join(source.splitlines(keepends=True)[end_of_docstring:])
    pairs = []
    for block in re.split(r"^# %%\n", rest, flags=re.MULTILINE)[1:]:
        comment = re.match(r"(#.*\n)*", block)[0]
        pairs.append((re.sub(r"^# ?", "", comment, flags=re.M), block[len(comment) :].strip()))
    return pairs


def number_of_sentences(prose):
    return len(re.findall(r"[.?!](?=\s|$)", prose))


def test_sections_are_those_of_the_site():
    sections = ast.literal_eval(
        re.search(r"^SECTIONS = (.*)$", (ROOT / "docs/conf.py").read_text(), re.MULTILINE)[1]
    )
    folders = {path.parent for path in EXAMPLES}
    assert {"machines", "evaluation"} <= {folder.name for folder in folders} <= set(sections)
    for folder in (GALLERY, *folders):
        title, underline, *_ = (folder / "GALLERY_HEADER.rst").read_text().splitlines()
        assert re.fullmatch("=+|-+", underline) and len(underline) == len(title)


@each_example
def test_example_begins_with_a_title_and_an_introduction(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()), clean=False)
    empty, title, underline, *introduction = docstring.splitlines()
    assert empty == "" and underline == "=" * len(title)
    assert introduction[0] == "" and 2 <= number_of_sentences("\n".join(introduction)) <= 8


@each_example
def test_example_ends_with_a_figure_and_three_sentences_on_it(path):
    *_, (_, code_of_figure), (prose, code) = blocks_of(path)
    assert "plt.show()" in code_of_figure.splitlines()
    assert number_of_sentences(prose) == 3 and code == ""


@each_example
def test_blocks_have_prose_and_short_code(path):
    for prose, code in blocks_of(path):
        assert prose != ""
        assert sum(line != "" for line in code.splitlines()) <= 40


@each_example
def test_references_lead_to_public_names(path):
    for name in re.findall(r"`~?(sklstm\.[\w.]+)`", path.read_text()):
        module, _, public = name.rpartition(".")
        assert public in importlib.import_module(module).__all__


@pytest.mark.slow
@each_example
def test_example_runs_and_shows_a_figure(path, monkeypatch, capsys):
    shown = []

    def show():
        figures = [plt.figure(number) for number in plt.get_fignums()]
        for figure in figures:
            figure.canvas.draw()
        shown.extend(figures)
        plt.close("all")

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.chdir(path.parent)  # as sphinx-gallery does
    runpy.run_path(str(path))
    assert shown and all(figure.axes for figure in shown)
