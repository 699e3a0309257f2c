"""The structure of the package: imports point down, and only the network imports Keras."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sklstm

PACKAGE = Path(sklstm.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the lowest layer to the highest. A module may import modules of its own layer's
# package and of lower layers. Packages of one layer do not import each other.
LAYERS = [
    {"_version", "_bar"},
    {"_progress", "_show_versions"},
    {"_files", "_panel", "datasets"},
    {"_network", "metrics"},
    {"_streaming"},
    {"preprocessing"},
    {"lstm"},
    {"meta"},
    {"cluster", "forecasting", "inspection", "model_selection"},
    {"plotting"},
    {"persistence"},
    {"__init__"},
    {"__main__"},
]
LEVELS = {name: level for level, layer in enumerate(LAYERS) for name in layer}
KERAS = {"keras", "tensorflow", "scikeras"}
OPTIONAL = KERAS | {"matplotlib", "dask", "distributed"}


def part_of(path):
    """Return the package of sklstm that holds a module, or the module's own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def dotted_name(path):
    """Return the name under which a module is imported."""
    inner = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(inner[:-1] if inner[-1] == "__init__" else inner)


def imports_of(tree):
    """Yield the line and the dotted name of every import, also of those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}"
            # `from sklstm import lstm` may name a module or an object of the package.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imported_part(name):
    """Return the part of sklstm that an import reaches; None for other libraries."""
    root, *inner = name.split(".")
    if root != "sklstm":
        return None
    return inner[0] if inner and inner[0] in LEVELS else "__init__"


def points_up(importer, imported):
    return importer != imported and LEVELS[importer] <= LEVELS[imported]


def test_every_part_has_a_layer():
    assert {part_of(path) for path in MODULES} == set(LEVELS)
    assert sum(map(len, LAYERS)) == len(LEVELS)


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("_panel", "lstm", True),
        ("meta", "forecasting", True),
        ("inspection", "plotting", True),
        ("_panel", "__init__", True),
        ("forecasting", "meta", False),
        ("lstm", "lstm", False),
    ],
)
def test_the_rule_itself(importer, imported, expected):
    assert points_up(importer, imported) is expected


def test_imports_are_found_wherever_they_stand():
    source = (
        "import keras as k\nfrom sklstm.lstm import x\ndef f():\n    from sklstm import metrics"
    )
    tree = ast.parse(source)
    assert sorted(imports_of(tree)) == [(1, "keras"), (2, "sklstm.lstm.x"), (4, "sklstm.metrics")]
    parts = [imported_part(name) for name in ("sklstm.lstm.x", "sklstm.backtest", "keras.ops")]
    assert parts == ["lstm", "__init__", None]


def test_imports_point_down():
    upward = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in MODULES
        for line, name in imports_of(ast.parse(path.read_text()))
        if (imported := imported_part(name)) and points_up(part_of(path), imported)
    ]
    assert not upward, "\n".join(upward)


def test_only_the_network_imports_keras():
    found = {
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in MODULES
        for line, name in imports_of(ast.parse(path.read_text()))
        if name.split(".")[0] in KERAS and part_of(path) != "_network"
    }
    assert not found, "\n".join(found)


def test_modules_do_not_import_each_other_in_a_circle():
    names = {dotted_name(path): path for path in MODULES}
    graph = {}
    for name, path in names.items():
        # Imports inside functions are lazy, and may close a circle.
        body = ast.parse(path.read_text()).body
        body = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
        imported = {other for _, other in imports_of(ast.Module(body, []))}
        # The last part names a module, or an object of the module before it.
        known = {other if other in names else other.rpartition(".")[0] for other in imported}
        graph[name] = (known & names.keys()) - {name}
    # It imports the network when it is called, which is its purpose.
    graph["sklstm._network.lazy_import"] = set()
    assert set(TopologicalSorter(graph).static_order()) == names.keys()


def test_import_is_light():
    code = (
        "import sys, sklstm, sklstm.cluster, sklstm.datasets, sklstm.inspection, sklstm.metrics, "
        "sklstm.plotting; "
        f"print(*{OPTIONAL!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_nothing_imports_a_test():
    root = Path(__file__).parents[1]
    found = [
        f"{path.relative_to(root)}:{line} imports {name}"
        for folder in ("sklstm", "tests", "benchmarks", "examples")
        for path in sorted((root / folder).rglob("*.py"))
        if ".envs" not in path.parts  # environments of the benchmarks
        for line, name in imports_of(ast.parse(path.read_text()))
        if name.split(".")[0].startswith("test_") or name.split(".")[0] == "tests"
    ]
    assert not found, "\n".join(found)
