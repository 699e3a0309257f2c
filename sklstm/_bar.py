"""Show one progress bar over a task, whose steps may be tasks with steps of their own.

The outermost task has the bar. A task that begins inside one of its steps fills this step, so that
the bar moves with the epochs of a network in a pipeline in an ensemble.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Lock
from time import time
from typing import Any

from sklearn.utils.parallel import Parallel

__all__ = ["Progress", "ReportingParallel", "follow"]

FORMAT = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"
# A training with early stopping may end before its last epoch.
FORMAT_AT_MOST = FORMAT.replace("{remaining}", "{remaining} at most")

_enclosing: ContextVar[Progress | None] = ContextVar("enclosing progress", default=None)


class Display:
    """Draw the bar.

    Parameters
    ----------
    title, text : str
        What stands before and after the bar.
    total : float
        Amount at which the bar is full.
    """

    def __init__(self, title: str, text: str, total: float):
        from tqdm.auto import tqdm

        self.values: dict[str, float] = {}
        self._lock = Lock()
        # The time alone limits how often it is drawn: amounts are fractions.
        self._bar = tqdm(total=total, desc=title, postfix=text, bar_format=FORMAT, miniters=0)

    def mark_as_upper_bound(self) -> None:
        """State that the remaining time is an upper bound."""
        self._bar.bar_format = FORMAT_AT_MOST

    def move(self, amount: float, text: str | None = None, *, at_once: bool = False) -> None:
        """Move the bar by an amount, and change the text.

        `at_once`: this took no time, so it does not change the speed.
        """
        with self._lock:
            bar = self._bar
            if text is not None:
                values = (f"{name}={value:.3g}" for name, value in self.values.items())
                bar.set_postfix_str(", ".join([text, *values]), refresh=False)
            amount = min(amount, bar.total - bar.n)  # sums of fractions are rounded
            if at_once:
                bar.initial = bar.last_print_n = bar.n = bar.n + amount
            elif bar.n == bar.initial and amount:
                # The first amount took the time of a compilation, and is left out of the speed.
                bar.n = bar.last_print_n = bar.n + amount
                bar.last_print_t = time()
                bar.refresh()
            elif amount:  # tqdm would leave out the time of a zero
                bar.update(amount)

    def close(self) -> None:
        """End the bar where it is."""
        with self._lock:
            if self._bar.n == self._bar.total:
                self._bar.bar_format = FORMAT
            self._bar.close()


class Progress:
    """Count the steps of a task, and move the bar of the outermost task.

    In another process, to which it may be sent, it only counts.

    Parameters
    ----------
    n_steps : int, default=0
        0: the task is one step of another and has none of its own that are known.
    unit : str, default=""
        Name of a step.
    share : float, default=None
        The amount by which the whole task moves the bar. None: the number of its steps.
    parent : Progress, default=None
        The task that contains this one.
    display : Display, default=None
        None: no bar.
    """

    def __init__(
        self,
        n_steps: int = 0,
        unit: str = "",
        share: float | None = None,
        parent: Progress | None = None,
        display: Display | None = None,
    ):
        self.n_steps, self.unit = n_steps, unit
        self.share = float(n_steps) if share is None else share
        self.parent, self.display = parent, display
        self.n_done, self.done = 0, 0.0

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar."""
        return self.display is not None

    def part(self, n_steps: int = 0, unit: str = "") -> Progress:
        """Begin one step, as a task."""
        return Progress(n_steps, unit, self.share / max(self.n_steps, 1), self, self.display)

    def rest(self, n_steps: int, unit: str) -> Progress:
        """Begin a task that fills what remains of this one."""
        return Progress(n_steps, unit, self.share - self.done, self, self.display)

    def among(self, n_steps: int, unit: str) -> Progress:
        """Make this task, which has not begun, one of several equal ones.

        Returns
        -------
        Progress
            The task that contains all of them.
        """
        whole = Progress(n_steps, unit, self.share, self.parent, self.display)
        self.parent, self.share = whole, self.share / n_steps
        return whole

    def reach(self, fraction: float) -> None:
        """Move the bar to a fraction of this task."""
        self._move(fraction * self.share - self.done)

    def finish(self) -> None:
        """End this task."""
        rest = self.share - self.done
        if self.parent is not None:
            self.parent.n_done += 1
            self._move(rest, self.parent.text())
        elif self.n_done < self.n_steps:
            self._move(rest, f"stopped after {self.n_done} of {self.n_steps} {self.unit}s")
        else:
            self._move(rest, self.text())

    def skip(self, n_steps: int) -> None:
        """Count steps that were done before an interruption."""
        self.n_done = n_steps
        self._move(self.share * n_steps / self.n_steps, self.text(), at_once=True)

    def count(self, n_steps: int) -> None:
        """Note how many steps are finished, where they cannot report it themselves."""
        if n_steps > self.n_done:
            self.n_done = n_steps
            self._move(self.share * n_steps / self.n_steps - self.done, self.text())

    def note(self, **values: float) -> None:
        """Set values that stand beside the bar, such as the loss."""
        if self.display is not None:
            self.display.values.update(values)

    def text(self) -> str:
        """Describe the finished steps, those of the outermost task first."""
        tasks = [task for task in self._path() if task.n_steps > 1] or [self]
        return ", ".join(
            f"{task.n_done}/{task.n_steps} {task.unit}{'' if task.n_steps == 1 else 's'}"
            for task in reversed(tasks)
        )

    @contextmanager
    def step(self) -> Iterator[None]:
        """Follow a block as one step."""
        step = self.part()
        with step.inside():
            yield
        step.finish()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let tasks that begin in this block fill this one."""
        token = _enclosing.set(self)
        try:
            yield
        finally:
            _enclosing.reset(token)

    def _move(self, amount: float, text: str | None = None, *, at_once: bool = False) -> None:
        amount = max(amount, 0.0)
        for task in self._path():
            task.done += amount
        if self.display is not None:
            self.display.move(amount, text, at_once=at_once)

    def _path(self) -> Iterator[Progress]:
        """Yield this task and those that contain it."""
        task: Progress | None = self
        while task is not None:
            yield task
            task = task.parent

    def __reduce__(self) -> Any:
        return Progress, (self.n_steps, self.unit, self.share)


@contextmanager
def follow(
    n_steps: int, unit: str, *, title: str, show: bool, at_most: bool = False
) -> Iterator[Progress]:
    """Follow a block as a task.

    Parameters
    ----------
    n_steps : int
    unit : str
    title : str
        What stands before the bar.
    show : bool
        Whether the block has a bar, unless it is part of a task with a bar. The processes of a pool
        have none.
    at_most : bool, default=False
        Whether there may be fewer steps.
    """
    outer, own = _enclosing.get(), None
    if outer is not None and outer.is_shown:
        progress = outer.rest(n_steps, unit)
    else:
        progress = Progress(n_steps, unit)
        if show and multiprocessing.parent_process() is None:
            progress.display = own = Display(title, progress.text(), n_steps)
    if at_most and progress.display is not None:
        progress.display.mark_as_upper_bound()
    with nullcontext() if own is None else closing(own):
        yield progress
        progress.finish()


class ReportingParallel(Parallel):
    """Run the steps of a task in parallel.

    Parameters
    ----------
    progress : Progress
        It counts the finished steps, which in other processes cannot report it themselves.
    **options
        As in scikit-learn.
    """

    def __init__(self, progress: Progress, **options: Any):
        super().__init__(**options)
        self.progress, self.n_before = progress, progress.n_done

    def print_progress(self) -> None:
        """Count the finished steps, where joblib would print their number."""
        self.progress.count(self.n_before + self.n_completed_tasks)
