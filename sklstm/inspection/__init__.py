"""Explain the predictions of fitted networks.

Both methods keep windows whole. One attributes a prediction to the lags and features of its window;
the other exchanges whole histories between windows.
"""

from sklstm.inspection._attributions import Attributions
from sklstm.inspection._integrated_gradients import integrated_gradients
from sklstm.inspection._permutation import permutation_importance

__all__ = ["Attributions", "integrated_gradients", "permutation_importance"]


def __dir__() -> list[str]:
    return __all__
