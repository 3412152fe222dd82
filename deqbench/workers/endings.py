"""How a process learns that children of its own have ended, without reaping them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator


def peek() -> int:
    """Return the id of a child that has ended and keep it unreaped; 0 if there is none."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return found.si_pid if found else 0


@contextlib.contextmanager
def child_signals() -> Iterator[socket.socket]:
    """Yield a socket that becomes readable when a child ends."""
    wakeup, signalled = socket.socketpair()
    with wakeup, signalled:
        wakeup.setblocking(False)  # noqa: FBT003 -- the socket's signature
        signalled.setblocking(False)  # noqa: FBT003 -- as above
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        yield wakeup
