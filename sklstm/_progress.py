"""Report the tasks of a fit: to a progress bar, and to scikit-learn's callbacks.

Callbacks exist since version 1.9 of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sklstm._bar import Progress, follow

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class _NoContext:
        """Take the place of a context of scikit-learn where there are no callbacks."""

        def subcontext(self, **options: Any) -> _NoContext:
            return self

        def call_on_fit_task_begin(self, **data: Any) -> None:
            pass

        def call_on_fit_task_end(self, **data: Any) -> bool:
            return False

        def propagate_callback_context(self, estimator: Any) -> Any:
            return nullcontext()

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Take the place of scikit-learn's mixin: there are no callbacks to set."""

        def _init_callback_context(self, **options: Any) -> _NoContext:
            return _NoContext()

    def with_callbacks(method: Any) -> Any:
        """Return the method itself: there is nothing to tear down."""
        return method


__all__ = ["CallbackSupportMixin", "Task", "fit_task", "move_callbacks", "with_callbacks"]

# Attributes in which scikit-learn keeps callbacks. All but the first exist during fit only.
CALLBACK_ATTRIBUTES = (
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
)


class Task:
    """One task of a fit, such as an epoch.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The place of the task in the tree of tasks.
    estimator : estimator
        The estimator whose fit contains the task.
    progress : Progress
        Moves the progress bar.
    **data
        `X`, `y` and `metadata` of the task, or functions that return them.
    """

    def __init__(self, context: Any, estimator: Any, progress: Progress, **data: Any):
        self.context, self.estimator, self.data = context, estimator, data
        self.progress = progress

    def begin(self) -> None:
        """Report that the task begins."""
        self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, attributes: Any = None) -> bool:
        """Report that the task has ended.

        Parameters
        ----------
        attributes : dict or callable, default=None
            The attributes, or a function that returns them, which make a copy of the estimator one
            that is fitted up to this task. It is called only if a callback asks for a fitted
            estimator.

        Returns
        -------
        bool
            Whether a callback asks to end the loop that contains the task.
        """
        self.progress.finish()
        return self.call_end(attributes)

    def call_end(self, attributes: Any) -> bool:
        """Report to the callbacks alone that the task has ended; see `end`."""
        return bool(
            self.context.call_on_fit_task_end(
                estimator=self.estimator, **self.data, reconstruction_attributes=attributes
            )
        )

    def subtask(self, name: str, number: int | None = None, **data: Any) -> Task:
        """Create a part of this task, with its data unless it has its own.

        Parameters
        ----------
        name : str
        number : int, default=None
            Tells parallel tasks apart; None for tasks that follow one another.
        **data
            As in the constructor.
        """
        context = self.context.subcontext(task_name=name, task_id=number)
        return Task(context, self.estimator, self.progress.part(), **self.data | data)

    @contextmanager
    def fitting(self, inner: Any = None, **data: Any) -> Iterator[None]:
        """Report a block as this task, in which `inner` is fitted unless it is None.

        The callbacks that propagate are set on `inner` while the block runs. The bar moves with the
        tasks that begin in the block.
        """
        self.data |= data
        propagates = inner is not None
        callbacks = self.context.propagate_callback_context(inner) if propagates else nullcontext()
        with callbacks, self.progress.inside():
            self.begin()
            yield
            self.end()


@contextmanager
def fit_task(
    estimator: Any,
    *,
    max_subtasks: int = 0,
    unit: str = "",
    show: bool = False,
    at_most: bool = False,
    title: str = "fit",
    parallel: bool = False,
    **data: Any,
) -> Iterator[Task]:
    """Report a block as the fit of an estimator. The method needs the decorator `with_callbacks`.

    Parameters
    ----------
    estimator : estimator
    max_subtasks : int, default=0
        Number of parts.
    unit, show, at_most, title
        As in :func:`sklstm._bar.follow`. A fit without parts has no bar.
    parallel : bool, default=False
        Whether the parts are numbered and may run at the same time.
    **data
        As in :class:`Task`.

    Yields
    ------
    Task
        The task, which holds the parts.
    """
    context = estimator._init_callback_context(
        max_subtasks=max_subtasks, sequential_subtasks=not parallel
    )
    bar: Any = nullcontext(Progress())
    if max_subtasks:
        bar = follow(max_subtasks, unit, title=title, show=show, at_most=at_most)
    with bar as progress:
        task = Task(context, estimator, progress, **data)
        task.begin()
        yield task
        task.call_end({})


def move_callbacks(source: Any, target: CallbackSupportMixin) -> None:
    """Move the callbacks that propagate to inner estimators from one estimator to another."""
    callbacks = getattr(source, "_skl_callbacks", [])
    moved = [callback for callback in callbacks if hasattr(callback, "max_propagation_depth")]
    if moved:
        target.set_callbacks(*moved)
        source.set_callbacks(*(callback for callback in callbacks if callback not in moved))
