"""Claims of a theory: what is seen, what was promised of it, and the verdict. The standard library alone."""

from __future__ import annotations

from deqbench.claims.deciding import Outcome, Verdict, decide
from deqbench.claims.evidence import Assumption, Evidence, Point

__all__ = ["Assumption", "Evidence", "Outcome", "Point", "Verdict", "decide"]
