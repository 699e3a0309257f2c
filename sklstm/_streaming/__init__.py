"""Read panels that are larger than memory, in blocks of whole series."""
