"""Fitted statsmodels models: the result object in `<name>.pkl`."""

from __future__ import annotations

from typing import Any

from ._model import ModelArtifact, Reference
from ._registry import import_package

MODEL = ".pkl"


class StatsmodelsModelArtifact(ModelArtifact):
    """What `fit()` of a statsmodels model returns, stored with its own `save` (a pickle).

    Args:
        name: name of the artifact.
        remove_data: leave the training data out of the file. Not every model can predict without.
    """

    REFERENCE = Reference(
        takes="results of `fit()`",
        gives="the results, with `predict` and `forecast`",
        files="`NAME.pkl`",
    )
    PIP = ("statsmodels",)

    def __init__(self, name: str, remove_data: bool = False) -> None:
        super().__init__(name)
        self._remove_data = remove_data

    def pack(self, model: Any, metadata: dict[str, Any] | None = None) -> StatsmodelsModelArtifact:
        """Take fitted results. Raises `InvalidArgument` for anything else, an unfitted model included."""
        results = import_package("statsmodels.base.model", self).Results
        wrapper = import_package("statsmodels.base.wrapper", self).ResultsWrapper
        if not isinstance(model, (results, wrapper)) and not _is_results(model):
            raise self._refusal(model, "the results that fit() of a statsmodels model returns")
        self._model = model
        return self

    def load(self, path: str) -> StatsmodelsModelArtifact:
        pickles = import_package("statsmodels.iolib.smpickle", self)
        return self.pack(pickles.load_pickle(str(self._found(path, MODEL))))

    def save(self, dst: str) -> None:
        file = str(self._file(dst, MODEL))
        if hasattr(self._model, "save"):
            self._model.save(file, remove_data=self._remove_data)
        else:  # some time series results have no save() of their own
            import_package("statsmodels.iolib.smpickle", self).save_pickle(self._model, file)


def _is_results(model: Any) -> bool:
    """Results that share no base class with the others, such as those of exponential smoothing."""
    cls = type(model)
    return cls.__module__.startswith("statsmodels.") and cls.__name__.endswith(("Results", "ResultsWrapper"))
