"""Document parameters that several estimators share, once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

Class = TypeVar("Class", bound=type)
# The heading and the content of the section of parameters.
SECTION = re.compile(r"^(Parameters\n-+\n)(.*?)(?=\n\n\w+\n-+\n|\Z)", re.DOTALL | re.MULTILINE)
# A line among the parameters of a docstring that stands for those of another class.
PLACE = "{parameters of the regressor}\n"


def with_parameters_of(source: type) -> Callable[[Class], Class]:
    """Complete the parameters of a class docstring by descriptions in another one.

    Parameters
    ----------
    source : type
        Its docstring describes the parameters.

    Returns
    -------
    callable
        A class decorator. It removes the line `PLACE`, and describes all parameters in the order of
        the signature. Descriptions in the docstring of the class come before those of `source`.
    """
    described = _descriptions(inspect.getdoc(source) or "")

    def document(cls: Class) -> Class:
        docstring = inspect.getdoc(cls) or ""
        entries = described | _descriptions(docstring.replace(PLACE, ""))
        text = "\n".join(entries[name] for name in inspect.signature(cls).parameters)
        cls.__doc__ = SECTION.sub(lambda match: match[1] + text, docstring, count=1)
        return cls

    return document


def _descriptions(docstring: str) -> dict[str, str]:
    """Split the section of parameters into the entries of each."""
    section = SECTION.search(docstring)
    entries = re.split(r"^(?=\w+ : )", section[2] if section else "", flags=re.MULTILINE)
    return {entry.split(" : ")[0]: entry.rstrip() for entry in entries if " : " in entry}
