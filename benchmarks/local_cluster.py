"""A Dask scheduler and its workers as processes of this machine, which count what they receive.

Used by cluster.py and by the tests.
"""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from distributed import Client
from distributed.comm import tcp

HERE = Path(__file__).parent
ROOT = HERE.parent
SECONDS_TO_START, SECONDS_TO_END = 120, 30

received = 0


def dask_setup(worker):
    """Count the bytes of all messages to this worker: Dask calls this where a worker starts."""
    read = tcp.from_frames

    async def read_and_count(frames, **options):
        global received
        received += sum(memoryview(frame).nbytes for frame in frames)
        return await read(frames, **options)

    tcp.from_frames = read_and_count


def bytes_received():
    """Return the number of bytes that this worker has received."""
    return received


@contextmanager
def start_cluster(folder, n_workers=2, paths=(), **environment):
    """Start a scheduler and workers of one thread by their command lines, on loopback.

    Parameters
    ----------
    folder : Path
        Of their files; the log is ``log.txt``.
    n_workers : int
    paths : sequence of Path
        Folders from which the workers import.
    **environment : str
        Environment variables of all processes.

    Yields
    ------
    distributed.Client
        A client of the cluster, once all workers are there.
    """
    path = os.pathsep.join(map(str, (ROOT, HERE, *paths)))
    environment = os.environ | {"PYTHONPATH": path} | environment
    address = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--scheduler-file", str(address), "--no-dashboard"]
    worker = ["--nthreads", "1", "--preload", "local_cluster", "--local-directory", str(folder)]
    commands = [["dask_scheduler", "--port", "0"], *[["dask_worker", *worker]] * n_workers]
    with (folder / "log.txt").open("w") as log:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{name}", *common, *options],
                env=environment,
                stdout=log,
                stderr=log,
            )
            for name, *options in commands
        ]
        try:
            with Client(scheduler_file=str(address), timeout=SECONDS_TO_START) as client:
                client.wait_for_workers(n_workers, timeout=SECONDS_TO_START)
                yield client
        finally:
            for process in reversed(processes):  # workers first
                process.terminate()
            for process in reversed(processes):
                end(process)


def end(process):
    """Wait for the end of a process; kill one that is busy with restarting a worker."""
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill_this_process():
    """End this process at once, as the system does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
