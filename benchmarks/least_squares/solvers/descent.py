# ruff: noqa: ANN001, ANN201, D101, D102, N803, RUF012
"""Gradient descent with and without momentum."""

import numpy as np
from benchopt import BaseSolver


class Solver(BaseSolver):
    name = "descent"
    sampling_strategy = "run_once"
    parameters = {"momentum": [0.0, 0.5]}

    def set_objective(self, X, y):
        self.X, self.y = X, y

    def run(self, _):
        n = len(self.y)
        lr = n / np.linalg.norm(self.X, 2) ** 2
        beta = np.zeros(self.X.shape[1])
        velocity = np.zeros_like(beta)
        for _ in range(100):
            velocity = self.momentum * velocity + self.X.T @ (self.X @ beta - self.y) / n
            beta = beta - lr * velocity
        self.beta = beta

    def get_result(self):
        return {"beta": self.beta}
