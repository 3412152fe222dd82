"""Any data set of OpenML, through scikit-learn: cached, encoded and scaled by its training split alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from urllib.error import URLError

import numpy as np
from pydantic import Field
from sklearn.compose import ColumnTransformer
from sklearn.datasets import fetch_openml
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from deqbench.errors import ConfigurationError
from deqbench.interfaces import Task
from deqbench_plugins.datasets.splitting import Cut, Parts, draw_rows, splits_of, targets_of
from deqbench_plugins.datasets.tabular import Standardize, TestShare, ValidationShare

if TYPE_CHECKING:
    from deqbench.interfaces import Splits


@dataclass(frozen=True)
class OpenML:
    """A data set of openml.org by name or number, downloaded once and cached.

    Numbers: a missing one becomes the training split's median. Categories: a missing one becomes the training
    split's most frequent, then each becomes a column of zeros and ones; one that training never saw is all
    zeros. Rows without a target are dropped. A target of categories is a classification, one of numbers a
    regression, unless ``task`` says otherwise.

    Source: J. Vanschoren et al., OpenML: networked science in machine learning, SIGKDD Explorations 15
    (2013); read by ``sklearn.datasets.fetch_openml``.
    """

    dataset: Annotated[str | None, Field(description="Its name, e.g. credit-g; or give data_id.")] = None
    data_id: Annotated[int | None, Field(ge=1, description="Its number; or give dataset.")] = None
    version: Annotated[
        int | None, Field(ge=1, description="Version of a name; none is the oldest active one.")
    ] = None
    target: Annotated[str | None, Field(description="Target column; none is the data set's own.")] = None
    task: Annotated[
        Literal["auto", "regression", "classification"], Field(description="What is learned.")
    ] = "auto"
    categories: Annotated[
        int, Field(ge=2, description="Columns one feature may become; the rarest share one.")
    ] = 50
    cache: Annotated[
        str | None, Field(description="Folder that keeps downloads; none is scikit-learn's own.")
    ] = None
    test: TestShare = 0.2
    validation: ValidationShare = 0.15
    standardize: Standardize = True

    def load(self, seed: int) -> Splits:
        """Return the splits that the stream ``data`` of this seed draws.

        Raises:
            ConfigurationError: Not exactly one of name and number is given, the table cannot be used, or it
                could not be downloaded.
        """
        features, target = self._complete_rows(self._fetched())
        task = self._task_of(target)
        y, outputs = targets_of(_as_array(target, task), task)
        strata = y if task is Task.CLASSIFICATION else np.zeros(len(y))
        rows = draw_rows(strata, Cut(self.test, self.validation, self.standardize, seed))
        encoder = _encoder(features, self.categories)
        encoder.fit(features.iloc[rows.train])
        inputs = [np.asarray(encoder.transform(features.iloc[part]), dtype=np.float64) for part in rows]
        return splits_of(
            Parts(inputs, [y[part] for part in rows]), task, outputs, standardize=self.standardize
        )

    def _fetched(self) -> Any:
        if (self.dataset is None) == (self.data_id is None):
            raise ConfigurationError(
                "openml needs exactly one of dataset (a name) and data_id (a number): "
                "openml[dataset=credit-g] or openml[data_id=31]."
            )
        named = {"data_id": self.data_id} if self.dataset is None else self._name_and_version()
        try:
            bunch = fetch_openml(
                **named,
                target_column=self.target or "default-target",
                data_home=self.cache,
                as_frame=True,
                # Not the faster "pandas": scikit-learn 1.9's fails under pandas 3 on categories like {0,1}.
                parser="liac-arff",
            )
        except URLError as error:
            raise ConfigurationError(
                f"OpenML's data set {self.dataset or self.data_id} is not in the cache and could not be "
                f"downloaded ({error.reason}). Run it once where openml.org can be reached."
            ) from error
        if bunch.target is None:
            raise ConfigurationError("This OpenML data set names no target; choose one: openml[target=...].")
        return bunch

    def _name_and_version(self) -> dict[str, Any]:
        return {"name": self.dataset, "version": self.version or "active"}

    def _complete_rows(self, bunch: Any) -> tuple[Any, Any]:
        known = bunch.target.notna()
        known = known.all(axis=1) if bunch.target.ndim == 2 else known
        return bunch.data[known], bunch.target[known]

    def _task_of(self, target: Any) -> Task:
        if self.task != "auto":
            return Task(self.task)
        kinds = {dtype.kind for dtype in (target.dtypes if target.ndim == 2 else [target.dtype])}
        return Task.REGRESSION if kinds <= set("iuf") else Task.CLASSIFICATION


def _as_array(target: Any, task: Task) -> np.ndarray:
    if task is Task.REGRESSION:
        return cast("np.ndarray", target.to_numpy(dtype=np.float64))
    if target.ndim == 2:
        raise ConfigurationError(
            f"A classification has one target, not {target.shape[1]}. Choose one: openml[target=...]."
        )
    return cast("np.ndarray", target.astype(str).to_numpy(dtype=str))


def _encoder(features: Any, categories: int) -> ColumnTransformer:
    numbers = [name for name, dtype in features.dtypes.items() if dtype.kind in "iufb"]
    others = [name for name in features.columns if name not in numbers]
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=categories, sparse_output=False, dtype=np.float64
    )
    return ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", keep_empty_features=True), numbers),
            ("categories", make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot), others),
        ]
    )
