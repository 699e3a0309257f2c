"""Run the turbofan example from the command line: ``python -m sklstm``.

The example is ``examples/turbofan_life.py``. Wheels contain a copy of it.
"""

from __future__ import annotations

import argparse
import runpy
from collections.abc import Callable
from pathlib import Path

EXAMPLE = "turbofan_life.py"


def find_example() -> Path:
    """Find the example: inside an installed package, or in the source tree."""
    package = Path(__file__).resolve().parent
    installed = package / "_examples" / EXAMPLE
    return installed if installed.exists() else package.parent / "examples" / EXAMPLE


def at_least(smallest: int) -> Callable[[str], int]:
    """Return a function that converts an option to an integer of this size or more."""

    def integer(text: str) -> int:
        value = int(text)
        if value < smallest:
            raise argparse.ArgumentTypeError(f"{value} is less than {smallest}")
        return value

    return integer


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m sklstm",
        description="Predict the remaining life of turbofan engines (NASA C-MAPSS FD001, "
        "included): grid search over engines, refit, test, baselines, picture.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("sklstm-output"),
        metavar="DIR",
        help="folder for the table and the picture (default: %(default)s)",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the results of an earlier run in the folder"
    )
    parser.add_argument("--seed", type=int, default=0, help="random state (default: %(default)s)")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="processes of the search (default: %(default)s, which is fastest on few cores)",
    )
    parser.add_argument(
        "--folds", type=at_least(2), default=3, help="cross-validation folds (default: %(default)s)"
    )
    parser.add_argument(
        "--epochs",
        type=at_least(1),
        default=8,
        help="epochs of the final fits (default: %(default)s)",
    )
    parser.add_argument(
        "--search-epochs",
        type=at_least(1),
        default=3,
        help="epochs per fit of the search (default: %(default)s)",
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Parse the options and run the example with them.

    Parameters
    ----------
    arguments : list of str, default=None
        Options of the command. None reads them from the command line.
    """
    options = make_parser().parse_args(arguments)
    runpy.run_path(str(find_example()))["main"](**vars(options))


if __name__ == "__main__":
    main()
