"""docs/mistakes.md: each mistake gives the message on the page."""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
import mistakes

TEXT = mistakes.PAGE.read_text()
COMMON, MISTAKES = mistakes.Mistake.read(TEXT)
TITLES = re.findall(r"^\*\*(.+)\.\*\*$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def names():
    return mistakes.names_of(COMMON)


def test_every_mistake_has_a_title_and_a_message():
    assert len(MISTAKES) == len(TITLES) >= 150
    assert all(mistake.message for mistake in MISTAKES)


@pytest.mark.skipif(
    mistakes.versions() not in TEXT, reason="the messages of other packages depend on their version"
)
@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=lambda number: TITLES[number])
def test_the_message_is_that_of_the_page(number, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert MISTAKES[number].make(names) == MISTAKES[number].message
    plt.close("all")


def test_a_block_without_a_complaint_has_no_message():
    assert mistakes.Mistake("python", "1 + 1", "").make({}) == ""


def test_warnings_come_before_the_error():
    code = "import warnings\nwarnings.warn('first')\nraise ValueError('then')"
    assert mistakes.Mistake("python", code, "").make({}) == "UserWarning: first\nValueError: then\n"
