# ruff: noqa: ANN001, ANN201, D101, D102, N803
"""The tiny least squares for benchopt: what is minimised."""

import numpy as np
from benchopt import BaseObjective


class Objective(BaseObjective):
    name = "least squares"
    sampling_strategy = "run_once"

    def set_data(self, X, y):
        self.X, self.y = X, y

    def get_objective(self):
        return {"X": self.X, "y": self.y}

    def evaluate_result(self, beta):
        return {"value": float(np.mean((self.X @ beta - self.y) ** 2))}

    def get_one_result(self):
        return {"beta": np.zeros(self.X.shape[1])}
