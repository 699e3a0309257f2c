"""Write a file completely or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], chunks: Iterable[bytes]) -> None:
    """Write a file so that `path` holds either its earlier content or all of the new one.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name `path` in
    one step. An existing file keeps its permissions, and a link continues to point to its file.

    Parameters
    ----------
    path : path-like
    chunks : iterable of bytes
        The content, in order.

    Raises
    ------
    OSError
        If the file cannot be written. The earlier file is unchanged then, and no temporary file is
        left.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder: pass the path of a file.")
    if not target.parent.is_dir():
        folder = os.path.dirname(os.fspath(path)) or str(target.parent)
        raise FileNotFoundError(
            f"The folder {folder!r} does not exist. Create it with os.makedirs({folder!r}), or "
            "pass another path."
        )
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Write the new name of a file to the disk, on systems that can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
