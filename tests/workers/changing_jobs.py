"""Targets that change what is global and what their modules hold, and report what they found."""

from __future__ import annotations

import decimal
import functools
import locale
import logging
import os
import random
import signal
import sys
import warnings
from typing import ClassVar

COUNT = 0
SEEN = []
TABLE = {"kept": 1}
NAMES = {"kept"}


class Holder:
    calls = 0
    made: ClassVar = []


@functools.lru_cache
def remembered():
    return SEEN.append("computed") or len(SEEN)


def state():
    """What a job can see of its module."""
    return [
        COUNT,
        list(SEEN),
        dict(TABLE),
        sorted(NAMES),
        Holder.calls,
        list(Holder.made),
        "new" in globals(),
    ]


def changes_its_module(payload, emit):
    global COUNT  # noqa: PLW0603  what a careless plugin does
    before = [os.getpid(), *state(), remembered.cache_info().currsize]
    COUNT += 1
    remembered()
    SEEN.append(COUNT)
    TABLE["added"] = 2
    NAMES.clear()
    Holder.calls += 1
    Holder.made.append(3)
    globals()["new"] = True
    return before


def settings():
    """What a job can see of its process, the libraries included, as JSON values."""
    import numpy as np
    import torch

    return {
        "cwd": os.getcwd(),  # noqa: PTH109  text
        "variable": os.environ.get("CHANGED"),
        "path": list(sys.path),
        "filters": [str(one) for one in warnings.filters],
        "alarm": str(signal.getsignal(signal.SIGALRM)),
        "recursion": sys.getrecursionlimit(),
        "precision": decimal.getcontext().prec,
        "level": logging.getLogger().level,
        "locale": locale.setlocale(locale.LC_ALL),
        "random": random.random(),
        "numpy": float(np.random.random()),  # noqa: NPY002  the global generator
        "errors": np.geterr(),
        "torch": float(torch.rand(())),
        "dtype": str(torch.get_default_dtype()),
        "device": str(torch.empty(()).device),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "fills": torch.utils.deterministic.fill_uninitialized_memory,
        "anomaly": torch.is_anomaly_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "tiny": float(torch.tensor(1e-310, dtype=torch.float64) * 1.0),
    }


def changes_settings(payload, emit):
    import numpy as np
    import torch

    found = settings()
    os.chdir("/")
    os.environ["CHANGED"] = "yes"
    sys.path.append("/nowhere")
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    sys.setrecursionlimit(1234)
    decimal.getcontext().prec = 5
    logging.getLogger().setLevel(logging.DEBUG)
    np.seterr(all="raise")
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.autograd.set_detect_anomaly(True)
    torch.set_float32_matmul_precision("medium")
    torch.set_flush_denormal(True)
    return [os.getpid(), found]
