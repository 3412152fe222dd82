"""Made-up runs for every test of this room."""

from __future__ import annotations

import pytest
from made_up_runs import Run


@pytest.fixture
def made(tmp_path):
    """Write a run under a name and return its folder."""

    def write(name="a", **facts):
        return Run(**facts).write(tmp_path / name)

    return write
