"""The oracle for the optimal loss of multinomial logistic regression: scikit-learn's newton-cholesky."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from pydantic import Field
from sklearn.linear_model import LogisticRegression

from deqbench.plugin import InapplicableError
from deqbench_plugins.trainers.trust_region.metrics import LinearInFeatures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from deqbench.learning.objective import Objective


@dataclass(frozen=True)
class NewtonCholesky:
    """scikit-learn's ``LogisticRegression(solver="newton-cholesky")``: one step, to the optimum.

    For the linear model with cross-entropy and l2 > 0 on labels that all occur. It is given the column of
    ones as a feature, so that l2 weighs the bias as our objective does. Its iterations are charged as
    gradients, as it reports them; the losses of its line searches are not seen.
    """

    tol: Annotated[
        float, Field(gt=0, description="Largest gradient entry allowed, as scikit-learn has it.")
    ] = 1e-12
    max_iter: Annotated[int, Field(ge=1, description="Newton iterations allowed.")] = 100

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Fit, set the parameters, yield the loss once and end."""
        features, labels = _problem(objective)
        classes, l2 = objective.parameters[0].shape[0], objective.loss.l2
        # scikit-learn minimises C sum(loss) + ||w||^2 / 2. With two classes it has one row w, ours are -w/2
        # and w/2: their squares add up to half of w's, so that the same l2 weighs half as much.
        strength = (2.0 if classes == 2 else 1.0) / (len(labels) * l2)
        fitted = LogisticRegression(
            C=strength, solver="newton-cholesky", fit_intercept=False, tol=self.tol, max_iter=self.max_iter
        )
        with warnings.catch_warnings():
            # below the floor of rounding its line search warns; the loss it reached is judged by us
            warnings.simplefilter("ignore")
            fitted.fit(features, labels)
        rows = fitted.coef_
        if classes == 2:
            rows = np.concatenate([-rows / 2, rows / 2])
        objective.set_vector(torch.from_numpy(rows.ravel()).to(objective.vector))
        objective.charge(gradients=int(fitted.n_iter_[0]))
        yield objective.value()


def _problem(objective: Objective) -> tuple[Any, Any]:
    """Return features (n, m) and labels (n,) as numpy arrays, or say why this oracle does not apply."""
    module, loss = objective.module, objective.loss
    if not (isinstance(module, LinearInFeatures) and len(objective.parameters) == 1):
        raise InapplicableError(
            f"newton-cholesky fits model 'linear' only, not {type(module).__name__}; use trust-region-newton."
        )
    if loss.name != "cross-entropy" or loss.l2 <= 0:
        raise InapplicableError(
            f"newton-cholesky minimises cross-entropy with l2 > 0; this is {loss.name} with l2 = {loss.l2}."
        )
    present, classes = len(torch.unique(objective.y)), objective.parameters[0].shape[0]
    if present != classes:
        raise InapplicableError(
            f"newton-cholesky needs every class in the training split; {present} of {classes} occur."
        )
    return module.features(objective.x).double().cpu().numpy(), objective.y.cpu().numpy()
