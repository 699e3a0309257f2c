"""Hold back the messages that TensorFlow writes when it starts, and nothing else.

Its first messages are written before it reads its log level, by C++ code, through the C library's
`stderr` stream. While TensorFlow loads, this stream of the process is replaced by one in memory.
File descriptor 2 stays as it is, so everything that Python, other threads or child processes write
arrives at once. Lines of other C code in memory are written afterwards.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# "I0000 00:00:1795.2 7505 cudart_stub.cc:31] ...", "2026-01-01 10:00:00.1: I tensorflow/...",
# and two lines without a prefix.
STARTUP_LINE = re.compile(
    rb"[IWE]\d{4} [\d:. ]+\S+\.cc:\d+\] "
    rb"|\d{4}-\d\d-\d\d [\d:.]+ [IWE] \S+\.cc:\d+\] "
    rb"|WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|To enable the following instructions: "
)
STREAM_NAMES = {"linux": "stderr", "darwin": "__stderrp"}


@contextmanager
def held_back():
    """Hold back TensorFlow's messages while the block runs; write them if it raises.

    With a log level set by the user (`TF_CPP_MIN_LOG_LEVEL`), nothing is held back. The
    environment is left unchanged.
    """
    if LEVEL in os.environ:
        yield
        return
    os.environ[LEVEL] = "2"  # read once, when TensorFlow loads: errors are still written
    memory = None
    try:
        memory = _MemoryStream.replace_stderr()
        yield
    except BaseException:
        _release(memory, every_line=True)
        raise
    else:
        _release(memory, every_line=False)
    finally:
        os.environ.pop(LEVEL, None)


_streams: list[_MemoryStream] = []


class _MemoryStream:
    """Replace the C library's stderr of this process by a stream in memory."""

    def __init__(self, libc, stderr):
        self.libc, self.stderr, self.original = libc, stderr, stderr.value
        self.buffer, self.size = ctypes.c_void_p(), ctypes.c_size_t()
        libc.open_memstream.restype = ctypes.c_void_p
        stream = libc.open_memstream(ctypes.byref(self.buffer), ctypes.byref(self.size))
        if not stream:
            raise OSError("The C library could not open a stream in memory.")
        _streams.append(self)  # the C library writes to these variables as long as it likes
        self.stream = stderr.value = stream

    @classmethod
    def replace_stderr(cls):
        """Return the stream that is now stderr, or None where the C library allows no such thing.

        TensorFlow's messages are then written as usual.
        """
        try:
            libc = ctypes.CDLL(None)
            return cls(libc, ctypes.c_void_p.in_dll(libc, STREAM_NAMES[sys.platform]))
        except (AttributeError, KeyError, OSError, TypeError, ValueError):
            return None

    def restore(self) -> bytes:
        """Restore the original stream, and return all that was written."""
        self.stderr.value = self.original
        # The stream itself is not freed: another thread may be writing to it.
        self.libc.fflush(ctypes.c_void_p(self.stream))
        return ctypes.string_at(self.buffer.value or 0, self.size.value)


def _release(memory, every_line):
    """Write the held lines to file descriptor 2: those of others, or every line."""
    if memory is None:
        return
    written = memory.restore().splitlines(keepends=True)
    lines = [line for line in written if every_line or not STARTUP_LINE.match(line)]
    try:
        os.write(2, b"".join(lines))
    except OSError:  # the process has no stderr
        pass
