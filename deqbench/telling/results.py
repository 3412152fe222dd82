"""A finished run in Python: its tables as pandas frames, read when they are first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from deqbench.keeping.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from deqbench.telling.tables import Frames


@dataclass(frozen=True)
class Results:
    """A run's tables.

    Attributes:
        folder: The run's folder.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path | str) -> Results:
        """Return the results in a run's folder.

        Raises:
            StoreError: No run lies there.
        """
        Store(folder).plan()
        return cls(Path(folder))

    @cached_property
    def frames(self) -> Frames:
        """All tables and facts of the run."""
        from deqbench.telling.loading import load  # noqa: PLC0415  pandas, only once a table is asked for

        return load(self.folder)

    @property
    def trials(self) -> pd.DataFrame:
        """A row a planned trial, in the order of the suite; failures carry their status."""
        return self.frames.trials

    @property
    def curves(self) -> pd.DataFrame:
        """A row an observation, along every trial."""
        return self.frames.curves

    @property
    def summary(self) -> pd.DataFrame:
        """A row a data set and entry: medians with intervals, failures ranked last and counted."""
        from deqbench.telling.tables import summary  # noqa: PLC0415  as above

        return summary(self.frames)

    def report(self) -> Path:
        """Write tables, figures and page again; return the path of ``report.html``."""
        from deqbench.telling.report import write  # noqa: PLC0415  matplotlib, only where it is wanted

        return write(self.folder)

    def __str__(self) -> str:
        from deqbench.telling.report.terminal import summary_lines  # noqa: PLC0415  as above

        return "\n".join(summary_lines(self.frames))
