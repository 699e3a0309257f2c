"""What a release consists of: versions, the description on a package index, files, recipe."""

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sklstm

yaml = pytest.importorskip("yaml", reason="comes with distributed, of the extra tests")

ROOT = Path(__file__).parent.parent
RELEASE = runpy.run_path(str(ROOT / ".ci" / "release"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RECIPE = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]


# --------------------------------------------------------------------------------- versions
def test_all_pages_have_the_version_of_the_package():
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "sklstm/_version.py"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == RECIPE["context"]["version"] == sklstm.__version__
    assert RELEASE["read_version"](ROOT) == sklstm.__version__


@pytest.fixture
def released(tmp_path):
    """Make the pages of a version that may be released."""
    pages = {
        "sklstm/_version.py": '__version__ = "3.2.1"\n',
        "CHANGES.md": "# Changes\n\n## [3.2.1] - 2031-05-06\n\n- A.\n\n[3.2.1]: https://a/b\n",
        "CITATION.cff": "cff-version: 1.2.0\nversion: 3.2.1\ndate-released: 2031-05-06\n",
        "conda/recipe.yaml": 'context:\n  version: "3.2.1"\n',
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_finished_version_has_no_problems(released):
    assert RELEASE["find_problems"](released) == []


@pytest.mark.parametrize(
    ("page", "old", "new"),
    [
        ("CHANGES.md", "## [3.2.1] - 2031-05-06", "## [Unreleased]"),
        ("CHANGES.md", "[3.2.1]: https", "[Unreleased]: https"),
        ("CITATION.cff", "version: 3.2.1", "version: 3.2.10"),
        ("CITATION.cff", "2031-05-06", "2031-05-05"),
        ("conda/recipe.yaml", "3.2.1", "3.2.0"),
    ],
)
def test_each_page_that_was_forgotten_is_named(released, page, old, new):
    text = (released / page).read_text()
    assert old in text
    (released / page).write_text(text.replace(old, new))
    (problem,) = RELEASE["find_problems"](released)
    assert problem.startswith(page)


def test_a_changed_working_tree_and_a_used_version_are_problems(released):
    git = ["git", "-C", released, "-c", "user.name=a", "-c", "user.email=a"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "All"]):
        subprocess.run([*git, *arguments], check=True)
    assert RELEASE["find_git_problems"](released) == []
    (released / "new.txt").write_text("")
    subprocess.run([*git, "tag", "v3.2.1"], check=True)
    tree, tag = RELEASE["find_git_problems"](released)
    assert "new.txt" in tree
    assert "v3.2.1" in tag


# ------------------------------------------------------------------------------ description
def test_the_description_on_a_package_index_has_no_relative_link():
    settings = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = (ROOT / "README.md").read_text()
    n_relative = len(re.findall(r"\]\((?!http)", text))
    for each in settings["substitutions"]:
        text, n_replaced = re.subn(each["pattern"], each["replacement"], text)
        assert n_replaced
    assert not re.search(r"\]\((?!https://)", text)
    pinned = r"https://(?:raw.githubusercontent|github).com/sklstm/sklstm/(?:blob/)?v\$HFPR_VERSION"
    paths = re.findall(rf"\]\({pinned}/([^)#]+)", text)
    assert len(paths) == n_relative
    assert all((ROOT / path).exists() for path in paths)
    assert "Install with `pip install sklstm`" in text


# -------------------------------------------------------------------------------- archives
@pytest.fixture(scope="module")
def expected():
    """Return the files of wheel and sdist, as the release script expects them."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("no clone")
    return RELEASE["expected_files"](ROOT)


def test_data_types_and_example_are_in_the_wheel(expected):
    in_wheel, _ = expected
    data = {f"sklstm/datasets/data/{name}_FD001.txt.gz" for name in ("train", "test", "RUL")}
    assert {*data, "sklstm/py.typed", "sklstm/_examples/turbofan_life.py"} <= in_wheel


def test_tests_and_guides_are_in_the_sdist(expected):
    _, in_sdist = expected
    pages = {"LICENSE", "README.md", "CHANGES.md", "docs/README.md", "pyproject.toml"}
    assert {*pages, "tests/test_release.py", "examples/shop_sales.csv"} <= in_sdist
    assert not any(name.startswith(".github") for name in in_sdist)


def test_no_cache_is_tracked(expected):
    found = set.union(*expected)
    assert not [name for name in found if re.search(r"__pycache__|\.pyc$|_cache/|/api/", name)]


@pytest.mark.slow
def test_a_wheel_has_the_expected_files(tmp_path, expected):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert RELEASE["files_of_wheel"](wheel) == expected[0]


# ------------------------------------------------------------------------- extras and recipe
def test_each_extra_that_is_tried_exists_and_has_its_block():
    assert set(RELEASE["BLOCKS"]) <= {RELEASE["NO_EXTRA"], *EXTRAS}
    blocks = {
        extra: RELEASE["block_of"](ROOT, *where) for extra, where in RELEASE["BLOCKS"].items()
    }
    assert "load_turbofan" in blocks["none"]
    assert "ForecastDisplay" in blocks["plots"]
    assert "import polars" in blocks["polars"]


def plain(requirement):
    """Write a requirement of pip and one of conda alike."""
    return requirement.replace(" ", "")


def test_the_recipe_has_the_requirements_of_the_package():
    python, *run = map(plain, RECIPE["requirements"]["run"])
    assert run == PROJECT["project"]["dependencies"]
    minimum = RECIPE["context"]["python_min"]
    python = python.replace("${{python_min}}", minimum)
    assert python == f"python{PROJECT['project']['requires-python']}"
    host = list(map(plain, RECIPE["requirements"]["host"]))
    assert host[2:] == PROJECT["build-system"]["requires"]


def test_the_installation_guide_lists_the_requirements_and_extras():
    guide = (ROOT / "docs" / "install.md").read_text()
    section = guide[guide.index("## Dependencies") : guide.index("## Platforms")]
    listed = re.findall(r"^\| ([a-z-]+) \| ([\d.]+) \|", section, re.M)
    required = PROJECT["project"]["dependencies"]
    assert {f"{name}>={version}" for name, version in listed} == set(required)
    assert all(f"`{extra}`" in guide for extra in EXTRAS)


def test_no_requirement_is_torch():
    required = [*PROJECT["project"]["dependencies"], *sum(EXTRAS.values(), [])]
    assert not [each for each in required if each.startswith("torch")]
