"""The code blocks of the guides, each as it stands."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = ["regimes.md", "weights.md"]
BLOCKS = [
    pytest.param(guide, block, id=f"{guide}-{number}")
    for guide in GUIDES
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", (DOCS / guide).read_text(), re.DOTALL)
    )
]


def test_every_guide_has_a_block():
    assert {parameters.values[0] for parameters in BLOCKS} == set(GUIDES)


@pytest.mark.parametrize(("guide", "block"), BLOCKS)
def test_block_runs_as_pasted(guide, block, capsys):
    exec(compile(block, guide, "exec"), {})
    assert capsys.readouterr().out
