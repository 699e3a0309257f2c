"""Cache compiled networks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import Any

MAX_IDLE_PROGRAMS = 32


class ProgramCache:
    """Cache idle compiled networks by key; the least recently used are dropped first.

    Parameters
    ----------
    max_idle : int
        Number of idle programs to keep.
    """

    def __init__(self, max_idle):
        self.max_idle = max_idle
        self._lock = threading.Lock()
        self._idle: OrderedDict[Any, list[Any]] = OrderedDict()

    def __len__(self):
        return sum(map(len, self._idle.values()))

    @contextmanager
    def borrow(self, key, make, reusable=None):
        """Lend an idle program of this key, or a new one, to one user at a time.

        Parameters
        ----------
        key : hashable
        make : callable
            Returns a new program.
        reusable : callable, default=None
            Called with the program afterwards; the program is kept if the result is true.
        """
        with self._lock:
            idle = self._idle.get(key)
            program = idle.pop() if idle else None
        program = make() if program is None else program
        # After an error its state is unknown: a program that raised is not kept.
        yield program
        if reusable is not None and not reusable(program):
            return
        with self._lock:
            self._idle.setdefault(key, []).append(program)
            self._idle.move_to_end(key)
            while len(self) > self.max_idle:
                oldest = next(iter(self._idle))
                del self._idle[oldest][0]
                if not self._idle[oldest]:
                    del self._idle[oldest]


programs = ProgramCache(MAX_IDLE_PROGRAMS)
