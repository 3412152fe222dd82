"""One process a job: forked with torch loaded, stopped at its limits, never left behind.

::

    with Pool(jobs=2, threads=1) as pool:
        for outcome in pool.run([Job("one", "module:function", {"x": 1}, Limits(seconds=60))]):
            print(outcome.status, outcome.result)
"""

from __future__ import annotations

from deqbench.workers.jobs import Job, Outcome
from deqbench.workers.pool import Pool
from deqbench.workers.preloading import CORE, PRELOAD, likely_libraries

__all__ = ["CORE", "PRELOAD", "Job", "Outcome", "Pool", "likely_libraries"]
