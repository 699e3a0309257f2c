"""The style of the package: short functions and modules, docstrings that match signatures."""

import ast
import importlib
import inspect
import re
import textwrap
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import pytest

import sklstm

PACKAGE = Path(sklstm.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 400
# The public API: the package itself and the submodules that users import from.
API = [
    "sklstm",
    *(f"sklstm.{name}" for name in ("cluster", "datasets", "inspection", "metrics", "plotting")),
]


# -------------------------------------------------------------------------------- modules
def lines_of_code(function, source):
    """Count the lines of a function's body; docstring, comments and blank lines are free."""
    has_docstring = ast.get_docstring(function) and len(function.body) > 1
    first = function.body[1 if has_docstring else 0]
    lines = [line.strip() for line in source[first.lineno - 1 : function.end_lineno]]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def functions_of(path):
    """Yield every function of a module, also the nested ones, with its length."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, lines_of_code(node, source.splitlines())


def test_lines_of_code_are_counted():
    source = 'def f(a):\n    """Title."""\n\n    # why\n    b = a\n    return (\n        b)\n'
    assert lines_of_code(ast.parse(source).body[0], source.splitlines()) == 3


def test_functions_are_short():
    long = [
        f"{path.relative_to(PACKAGE)}:{function.lineno} {function.name}: {n} lines of code"
        for path in MODULES
        for function, n in functions_of(path)
        # A constructor only assigns: it is as long as there are parameters.
        if n > MAX_FUNCTION_LINES and function.name != "__init__"
    ]
    assert not long, "\n".join(long)


def test_a_long_module_gives_its_reason():
    unexplained = []
    for path in MODULES:
        source = path.read_text()
        docstring = ast.get_docstring(ast.parse(source)) or ""
        n_lines = len(source.splitlines())
        if n_lines > MAX_MODULE_LINES and "long because" not in docstring.lower():
            unexplained.append(f"{path.relative_to(PACKAGE)}: {n_lines} lines")
    assert not unexplained, "\n".join(
        ["State in the docstring why it is 'long because ...':", *unexplained]
    )


def test_nothing_is_left_to_do():
    found = [
        f"{path.relative_to(PACKAGE)}:{number} {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"\b(TODO|FIXME|XXX)\b", line)
    ]
    assert not found, "\n".join(found)


# ----------------------------------------------------------------------------- docstrings
def public_callables():
    """Yield the name of every public class, method and function, and the item itself."""
    for module_name in API:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            yield f"{module_name}.{name}", item
            if inspect.isclass(item):
                for method, function in inspect.getmembers(item, inspect.isroutine):
                    is_own = (getattr(function, "__module__", None) or "").startswith("sklstm")
                    if is_own and not method.startswith("_"):
                        yield f"{module_name}.{name}.{method}", function


ITEMS = dict(public_callables())


def section_of(docstring, title):
    """Return the lines of one section of a numpydoc docstring; None where it is absent."""
    lines = docstring.splitlines()
    starts = [i for i in range(1, len(lines)) if re.fullmatch(r"-{3,}", lines[i])]
    for start, end in pairwise([*starts, len(lines) + 1]):
        if lines[start - 1] == title:
            assert len(lines[start]) == len(title), f"the line below {title} has another length"
            return lines[start + 1 : end - 1]
    return None


def documented_parameters(docstring):
    """Return the stated default of each documented parameter, None where none is stated."""
    documented = {}
    for line in section_of(docstring, "Parameters") or []:
        match = re.fullmatch(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : (.*))?", line)
        # A type may go on in the next line, which is indented as the description is.
        if match:
            default = re.search(r"default=(.*)$", match[2] or "")
            names = match[1].replace("*", "").split(", ")
            documented |= dict.fromkeys(names, default and default[1])
    return documented


def parameters_of(item):
    parameters = inspect.signature(item).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in ("self", "cls")}


def test_a_docstring_is_read():
    def f(a, b=2, *, c=None, **rest): ...

    docstring = inspect.cleandoc(
        """Add.

        Parameters
        ----------
        a, b : int, default=2
            Numbers: c : no, default=3.
        c : float, optional
        **rest : dict

        Returns
        -------
        d : int
        """
    )
    assert documented_parameters(docstring) == {"a": "2", "b": "2", "c": None, "rest": None}
    assert list(parameters_of(f)) == list(documented_parameters(docstring))
    assert section_of(docstring, "Returns") == ["d : int"]
    assert section_of(docstring, "Raises") is None


def test_api_is_found():
    missing = [name for name in API if not hasattr(importlib.import_module(name), "__all__")]
    assert not missing, f"these modules define no __all__: {missing}"
    expected = {"sklstm.MultiSeriesLSTMRegressor.fit", "sklstm.metrics.mase", "sklstm.backtest"}
    assert expected <= ITEMS.keys()
    assert len(ITEMS) > 60


@pytest.mark.parametrize("name", ITEMS)
def test_docstring_begins_with_a_title(name):
    docstring = inspect.getdoc(ITEMS[name]) or ""
    title, *rest = docstring.splitlines() or [""]
    assert re.fullmatch(r"[A-Z].*\.", title), f"no title that is one sentence: {title!r}"
    assert not rest or rest[0] == "", "no empty line below the title"


@pytest.mark.parametrize("name", ITEMS)
def test_documented_parameters_are_those_of_the_signature(name):
    parameters = parameters_of(ITEMS[name])
    documented = documented_parameters(inspect.getdoc(ITEMS[name]) or "")
    assert list(documented) == list(parameters)
    for parameter, default in documented.items():
        actual = parameters[parameter]
        if default is None:
            # Optional arguments are described in words, and so is the ignored y.
            assert actual in (inspect.Parameter.empty, None), parameter
        else:
            shown = default.replace('"series" and "time"', f'"{parameter}"')
            assert eval(shown) == actual, parameter


def own_nodes(function):
    """Yield the nodes of a function's body without those of the functions inside it."""
    nodes = list(function.body)
    while nodes:
        node = nodes.pop()
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            yield node
            nodes.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if inspect.isfunction(item)])
def test_results_are_documented(name):
    function = ITEMS[name]
    returns = any(
        isinstance(node, (ast.Yield, ast.Return)) and node.value is not None
        for node in own_nodes(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0])
    )
    docstring = inspect.getdoc(function)
    described = section_of(docstring, "Returns") or section_of(docstring, "Yields")
    assert bool(described) == returns


PROPERTIES = {
    f"{name}.{attribute}": getattr(value, "fget", None) or value.func
    for name, item in ITEMS.items()
    if inspect.isclass(item)
    for attribute, value in inspect.getmembers_static(item)
    if isinstance(value, (property, cached_property)) and not attribute.startswith("_")
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_public_properties_have_type_hints(name):
    assert not PROPERTIES[name].__module__.startswith("sklstm") or (
        "return" in PROPERTIES[name].__annotations__
    )


def test_properties_are_found():
    assert {"sklstm.MultiSeriesLSTMClassifier.model_", "sklstm.Windows.shape"} < PROPERTIES.keys()


@pytest.mark.parametrize("name", ITEMS)
def test_the_public_surface_has_type_hints(name):
    item = ITEMS[name]
    function = item.__init__ if inspect.isclass(item) else getattr(item, "fget", item)
    if not inspect.isfunction(function):
        return  # the constructor of `object`
    hints = {**function.__annotations__, "self": None, "cls": None}
    missing = [name for name in inspect.signature(function).parameters if name not in hints]
    if inspect.isfunction(item):
        missing += ["return"] * ("return" not in hints)
    assert missing == []
