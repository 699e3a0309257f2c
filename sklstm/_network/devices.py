"""Name the devices of Keras' active distribution, and fit batches to their number."""

from __future__ import annotations

import keras

from sklstm._network.batches import ON_TENSORFLOW


def active_devices() -> tuple[str, ...]:
    """Return the names of the devices that share the batches.

    Returns
    -------
    tuple of str
        The devices of the distribution that `keras.distribution.set_distribution` has set. Without
        one, a single empty name, which stands for the backend's default device.

    Raises
    ------
    TypeError
        If the distribution would also divide the weights of the network.
    ValueError
        If TensorFlow does not have one of the devices.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return ("",)
    if not isinstance(distribution, keras.distribution.DataParallel):
        raise TypeError(
            f"The active distribution of Keras is a {type(distribution).__name__}; sklstm divides "
            "batches, and never the weights of a network. Set keras.distribution.DataParallel(), "
            "or no distribution: keras.distribution.set_distribution(None)."
        )
    devices = tuple(str(device).lower() for device in distribution.device_mesh.devices.flat)
    if ON_TENSORFLOW:
        _check_existence(devices)
    return devices


def _check_existence(devices):
    """Raise an error for unknown devices, in whose place TensorFlow would use the first CPU."""
    kinds = sorted({device.partition(":")[0] for device in devices})
    known = [name for kind in kinds for name in keras.distribution.list_devices(kind)]
    unknown = [device for device in devices if device not in known]
    if unknown:
        raise ValueError(
            f"The active distribution of Keras names {', '.join(unknown)}, and TensorFlow has "
            f"{', '.join(known) or 'no device of that kind'}. keras.distribution.list_devices() "
            "returns the devices that may be named."
        )


def evenly_divided(batch_size: int) -> int:
    """Round a batch size up to a multiple of the number of devices."""
    n_devices = len(active_devices())
    return -(-batch_size // n_devices) * n_devices
