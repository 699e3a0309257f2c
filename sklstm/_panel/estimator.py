"""Base class of the estimators of this package."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from sklstm._panel.pickles import VersionedPickle
from sklstm._progress import CallbackSupportMixin


class PanelEstimator(CallbackSupportMixin, VersionedPickle, BaseEstimator):
    """Base class: an estimator whose fit reports to callbacks, and whose pickles have a version.

    The HTML representation shows the documentation of the parameters, and links to the docstrings.
    """

    _doc_link_module = "sklstm"
    _doc_link_template = "https://github.com/sklstm/sklstm/blob/main/{path}.py"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"path": type(self).__module__.replace(".", "/")}
