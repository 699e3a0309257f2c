"""Base class of the estimators of this package."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from sklstm._panel.pickles import VersionedPickle
from sklstm._progress import CallbackSupportMixin

# The page of a class on the documentation site.
API_PAGE = "https://sklstm.github.io/sklstm/generated/{module}.{name}.html"


class PanelEstimator(CallbackSupportMixin, VersionedPickle, BaseEstimator):
    """Base class: an estimator whose fit reports to callbacks, and whose pickles have a version.

    The HTML representation shows the documentation of parameters and fitted attributes, and links
    to the page of the class.
    """

    _doc_link_module = "sklstm"
    _doc_link_template = API_PAGE

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        # All estimators are documented under the name by which users import them.
        return {"module": "sklstm", "name": type(self).__name__}
