"""Run searches, backtests and ensembles on the workers of a Dask cluster (extra ``dask``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from joblib import parallel_config

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["on_dask"]


def __dir__() -> list[str]:
    return __all__


class _CopyingClient:
    """Act as a Dask client that copies all scattered data to each worker.

    Joblib scatters to one worker, from which the others fetch the data, and Dask cannot compute
    scattered data again: tasks are cancelled if the worker with the only copy is lost.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def scatter(self, data: Any, **options: Any) -> Any:
        return self._client.scatter(data, **options | {"broadcast": True})


@contextmanager
def on_dask(client: Client, **options: Any) -> Iterator[None]:
    """Run joblib's tasks on the workers of a Dask cluster.

    In this context, the candidates and folds of a search, the origins of
    :func:`~sklstm.backtest` and the members of a :class:`~sklstm.SeriesEnsembleRegressor` are
    tasks of Dask. The results are those of one machine. Each worker receives the data once, and
    keeps compiled networks for later tasks. If a worker is lost, its tasks run on another one.

    Parameters
    ----------
    client : distributed.Client
        A client of the cluster.
    **options
        Options of joblib's Dask backend, such as `scatter`.

    Notes
    -----
    The context differs from ``joblib.parallel_config(backend="dask")`` in two respects. Data that
    several tasks share are copied to all workers before the first task. Dask's active memory
    manager, which would remove the copies of idle workers, is stopped until the context ends. With
    joblib's own context, losing a worker can raise ``FutureCancelledError`` and lose the search.

    Examples
    --------
    >>> from sklstm.cluster import on_dask
    >>> from distributed import Client  # doctest: +SKIP
    >>> with on_dask(Client("tcp://scheduler:8786")):  # doctest: +SKIP
    ...     search.fit(X, y, groups=groups)
    """
    if not hasattr(client, "amm"):
        raise TypeError(
            f"client is of type {type(client).__name__}, expected a distributed.Client. Import "
            "it with from dask.distributed import Client, and connect: "
            "Client('tcp://scheduler:8786'), or Client() for this machine."
        )
    managed = client.amm.running()
    client.amm.stop()
    try:
        with parallel_config(backend="dask", client=_CopyingClient(client), **options):
            yield
    finally:
        if managed:
            client.amm.start()
