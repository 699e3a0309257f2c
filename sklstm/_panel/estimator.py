"""Base class of the estimators of this package."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator

from sklstm._panel.pickles import VersionedPickle
from sklstm._panel.show import did_you_mean
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

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator, and of those inside it.

        The message about a misspelt parameter names a similar one.

        Parameters
        ----------
        **params : dict
            Parameters by name; those of an estimator inside are named ``<parameter>__<name>``.

        Returns
        -------
        self
        """
        try:
            return super().set_params(**params)
        except ValueError as error:
            names = self._get_param_names()
            given = [name.partition("__")[0] for name in params]
            hints = [did_you_mean(name, names) for name in given if name not in names]
            error.args = (" ".join([*filter(None, hints[:1]), str(error)]),)
            raise

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        # All estimators are documented under the name by which users import them.
        return {"module": "sklstm", "name": type(self).__name__}
