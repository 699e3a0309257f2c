"""Inventories of other projects for `sphinx.ext.intersphinx`, without downloads.

Each file `inventories/PROJECT.txt` starts with the address of the project's documentation. Its
other lines are entries in Sphinx's own format: name, role, priority, path and title.
"""

import zlib


def write_inventories(folder, built):
    """Write the inventories in Sphinx's binary form, and return its `intersphinx_mapping`."""
    built.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for source in sorted(folder.glob("*.txt")):
        address, *entries = source.read_text().splitlines()
        header = f"# Sphinx inventory version 2\n# Project: {source.stem}\n# Version: \n"
        compressed = zlib.compress("\n".join([*entries, ""]).encode())
        target = built / f"{source.stem}.inv"
        target.write_bytes(f"{header}# The rest is compressed by zlib.\n".encode() + compressed)
        mapping[source.stem] = (address, str(target))
    return mapping
