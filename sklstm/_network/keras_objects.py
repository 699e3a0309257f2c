"""Describe Keras' own losses, optimizers and schedules by name and arguments."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from sklstm._panel.show import did_you_mean

_MODULES = {
    "losses": keras.losses,
    "optimizers": keras.optimizers,
    "schedules": keras.optimizers.schedules,
}
# For messages.
_LOSS_NAMES = ("mse", "mae", "msle", "huber", "log_cosh", "poisson")
_OPTIMIZER_NAMES = ("adam", "adamw", "nadam", "rmsprop", "sgd", "adagrad", "lion")
_BASES = {
    "losses": keras.losses.Loss,
    "optimizers": keras.optimizers.Optimizer,
    "schedules": keras.optimizers.schedules.LearningRateSchedule,
}
# Arguments that a configuration may leave out: other defaults of Keras replace them.
_OPTIONAL = {"self", "dtype", "kwargs"}


def get_loss(loss: Any) -> Any:
    """Return the loss that a name, a class or an object of Keras stands for."""
    return _get("loss", "losses", loss, _LOSS_NAMES)


def get_optimizer(optimizer: Any) -> Any:
    """Return the optimizer that a name or a configuration stands for."""
    return _get("optimizer", "optimizers", optimizer, _OPTIMIZER_NAMES)


def _get(parameter: str, module: str, item: Any, usual: tuple[str, ...]) -> Any:
    """Look up an item in a module of Keras; raise ValueError for an unknown name."""
    try:
        return _MODULES[module].get(item)
    except (TypeError, ValueError) as error:
        if not isinstance(item, str):
            raise
        content = vars(_MODULES[module]).items()
        names = [*(name for name, each in content if _is_allowed(module, each)), *usual]
        raise ValueError(
            f"{parameter}={item!r} is not a name that Keras knows: usual names are "
            f"{', '.join(map(repr, usual))}. "
            f"{did_you_mean(item, names, f'keras.{module} has all names.')}"
        ) from error


def describe(item: Any) -> tuple[str, str, dict[str, Any] | None] | None:
    """Describe an object, class or function of Keras by plain values.

    Returns
    -------
    tuple of module, name and arguments, or None
        The arguments are None for a class or a function. The result is None for everything that is
        not Keras' own, and for objects whose configuration is incomplete.
    """
    kind = item if inspect.isclass(item) or inspect.isfunction(item) else type(item)
    name = getattr(kind, "__name__", "")
    for module, content in _MODULES.items():
        if getattr(content, name, None) is not kind:
            continue
        if kind is item:
            return (module, name, None) if _is_allowed(module, item) else None
        arguments = _arguments(item) if isinstance(item, _BASES[module]) else None
        return None if arguments is None else (module, name, arguments)
    return None


def _is_allowed(module: str, item: Any) -> bool:
    """Whether an item is a class of its module, or a function that computes a loss."""
    if inspect.isclass(item):
        return issubclass(item, _BASES[module])
    return (
        module == "losses"
        and inspect.isfunction(item)
        and list(inspect.signature(item).parameters)[:2] == ["y_true", "y_pred"]
    )


def _arguments(item) -> dict[str, Any] | None:
    """Return the constructor's arguments, or None where the configuration does not have them."""
    arguments = item.get_config()
    rate = getattr(item, "_learning_rate", None)
    if isinstance(rate, _BASES["schedules"]):
        arguments["learning_rate"] = rate
    is_complete = has_complete_config(item) and all(map(_is_plain, arguments.values()))
    return arguments if is_complete else None


def has_complete_config(item) -> bool:
    """Whether the configuration of an object has all arguments of its constructor.

    That of Keras' Huber loss, for instance, lacks `delta`.
    """
    needed = inspect.signature(type(item).__init__).parameters.keys() - _OPTIONAL
    return needed <= item.get_config().keys()


def rebuild(module: str, name: str, arguments: dict[str, Any] | None) -> Any:
    """Build an object from its description; raise for everything that is not Keras' own.

    Keras' own deserialisation is not used, since it imports modules that a file names.
    """
    found = getattr(_MODULES[module], name)
    if not _is_allowed(module, found):
        raise ValueError(f"{name!r} is nothing that files may hold")
    if arguments is None:
        return found
    if not inspect.isclass(found) or not all(map(_is_plain, arguments.values())):
        raise ValueError(f"the arguments of {name!r} are not valid")
    return found(**arguments)


def _is_plain(value: Any) -> bool:
    items = value if isinstance(value, (list, tuple)) else [value]
    plain = (type(None), bool, int, float, str, _BASES["schedules"])
    return all(isinstance(item, plain) for item in items)
