# ruff: noqa: ANN201, D101, D102, RUF012
"""The data."""

import numpy as np
from benchopt import BaseDataset


class Dataset(BaseDataset):
    name = "gaussian"
    parameters = {"n, p": [(200, 50), (500, 100)]}

    def get_data(self):
        draw = np.random.default_rng(0)
        x = draw.standard_normal((self.n, self.p))
        y = x @ draw.standard_normal(self.p) + 0.1 * draw.standard_normal(self.n)
        return {"X": x, "y": y}
