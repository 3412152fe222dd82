"""Targets that misbehave, for the tests of the workers; each runs in a worker process."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

MIB = 1024**2


def double(payload, emit):
    emit({"seen": payload["x"]})
    return 2 * payload["x"]


def not_a_number(payload, emit):
    return {"loss": float("nan")}


def unserialisable(payload, emit):
    return object()


def raises(payload, emit):
    emit("before")
    raise ValueError("the step is too long\nand so is this message")


def exits(payload, emit):
    sys.exit(4)


def exits_at_once(payload, emit):
    emit("before")
    print("last words", file=sys.stderr)
    os._exit(3)


def hangs(payload, emit):
    emit(os.getpid())
    time.sleep(60)


def hangs_in_c(payload, emit):
    """Hold the interpreter lock: neither a Python signal handler nor a thread can run."""
    emit(os.getpid())
    if "pids" in payload:
        Path(payload["pids"], str(os.getpid())).touch()
    ctypes.PyDLL(None).sleep(60)


def ignores_signals(payload, emit):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


def segfaults(payload, emit):
    emit("before")
    ctypes.string_at(0)


def aborts(payload, emit):
    os.abort()


def eats_memory(payload, emit):
    held = []
    while len(held) < 64:  # 2 GiB at most, should the limit not hold
        held.append(b"\1" * (32 * MIB))
        time.sleep(0.002)
    time.sleep(60)


def eats_memory_in_a_child(payload, emit):
    code = "import time; held = b'\\1' * (400 * 1024**2); time.sleep(60)"
    subprocess.run([sys.executable, "-S", "-c", code], check=False)


def asks_for_too_much_memory(payload, emit):
    return len(bytearray(1 << 62))


def prints_a_lot(payload, emit):
    line = "x" * 1023
    for _ in range(payload["lines"]):
        print(line)
        print(line, file=sys.stderr)
    print("the end", file=sys.stderr)
    time.sleep(payload["then_sleep"])
    os._exit(3)


def reads_input(payload, emit):
    return sys.stdin.read()


def starts_others(payload, emit):
    """Leave a child in the group, and one that flees into a session of its own; return or hang."""
    near = subprocess.Popen(["sleep", "20"])
    far = subprocess.Popen(["sleep", "20"], start_new_session=True)
    pids = [near.pid, far.pid]
    emit(pids)
    if "pids" in payload:
        for pid in (os.getpid(), *pids):
            Path(payload["pids"], str(pid)).touch()
    if payload.get("hang"):
        time.sleep(60)
    return pids


def leaves_a_thread(payload, emit):
    threading.Thread(target=time.sleep, args=(60,)).start()
    return "done"


def tells_times(payload, emit):
    start = time.monotonic()
    time.sleep(payload["seconds"])
    return [start, time.monotonic()]


def about_itself(payload, emit):
    nursery = Path(f"/proc/{os.getppid()}")
    status = (nursery / "status").read_text()
    return {
        "pid": os.getpid(),
        "group": os.getpgid(0),
        "parent": os.getppid(),
        "nursery_threads": int(status.partition("Threads:")[2].split()[0]),
        "modules": sorted(sys.modules),
        "environment": dict(os.environ),
        "hash": hash("deqbench"),
    }


def multiplies(payload, emit):
    """Use threaded libraries and autograd after the fork."""
    import numpy as np
    import torch

    a = np.arange(300.0 * 300).reshape(300, 300) / 300
    w = torch.tensor(a, requires_grad=True)
    loss = (w @ w).relu().sum()
    loss.backward()
    return {
        "equal": bool(np.allclose(a @ a, (w @ w).detach().numpy())),
        "gradient": bool(torch.isfinite(w.grad).all()),
        "threads": torch.get_num_threads(),
        "cuda_initialised": torch.cuda.is_initialized(),
    }


def takes_and_frees_memory(payload, emit):
    """Hold memory at the end, where a worker's next job would find it."""
    held = bytearray(b"\1" * (payload["mib"] * MIB))
    if payload["keep"]:
        sys.kept = held
    return os.getpid()


def forks_a_child(payload, emit):
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    return os.getpid()


def forgets_a_thread(payload, emit):
    threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    return os.getpid()


def prints(payload, emit):
    print(payload["words"], file=sys.stderr)
    os.write(2, b"") if payload["fine"] else os._exit(3)
    return os.getpid()


def pid(payload, emit):
    return os.getpid()


def imports(payload, emit):
    importlib.import_module(payload["module"])
    return payload["module"]
