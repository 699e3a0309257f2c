"""Document parameters that several estimators share, once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

Class = TypeVar("Class", bound=type)
# A line of a docstring that is replaced by the shared parameters.
PLACE = "{parameters of the regressor}"


def with_parameters_of(source: type) -> Callable[[Class], Class]:
    """Fill a class docstring with the descriptions of parameters in another one.

    Parameters
    ----------
    source : type
        Its docstring describes the parameters.

    Returns
    -------
    callable
        A class decorator. It puts the descriptions of all parameters that the class does not
        describe itself in the place of the line `PLACE`.
    """
    described = _descriptions(inspect.getdoc(source) or "")

    def document(cls: Class) -> Class:
        docstring = inspect.getdoc(cls) or ""
        own = _descriptions(docstring)
        names = inspect.signature(cls).parameters
        shared = [described[name] for name in names if name not in own]
        cls.__doc__ = docstring.replace(PLACE, "\n".join(shared))
        return cls

    return document


def _descriptions(docstring: str) -> dict[str, str]:
    """Split the section of parameters into the entries of each."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", docstring, re.DOTALL | re.M)
    entries = re.split(r"^(?=\w+ : )", section[1] if section else "", flags=re.M)
    return {entry.split(" : ")[0]: entry.rstrip() for entry in entries if " : " in entry}
