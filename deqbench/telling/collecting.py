"""The garbage collector put off while much is made and little is thrown away.

Reading a large run and drawing its figures makes millions of objects that live until the report is written;
the collector goes through all of them again and again, a seventh of the time of a report. Reference counts
free the rest all the while.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Put the collector off inside; outside it is as it was."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
