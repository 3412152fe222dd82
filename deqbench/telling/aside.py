"""Something made in a second process while this one goes on: figures are drawn while words are found."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")


def second_process() -> bool:
    """Return whether there is a second core to be used, and a cheap process to use it: one that is forked."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return cores > 1 and "fork" in multiprocessing.get_all_start_methods()


@contextmanager
def aside(make: Callable[[], T], *, forked: bool) -> Iterator[Callable[[], T]]:
    """Begin to make something, and give what waits for it.

    A process that ends without a result, by an error or for want of memory, is no matter: the result is made
    here when it is waited for, and whatever is wrong is raised here.

    Args:
        make: What makes it. In a second process it sees everything as it is now; what it returns is sent
            back, so it is to be small.
        forked: Whether to use one. The caller vouches that no thread of its own holds a lock.
    """
    if not forked:
        yield cache(make)
        return
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(make, sender), daemon=True)
    with warnings.catch_warnings():
        # Of threads in general; those of the linear algebra see to forks themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sender.close()

    @cache
    def result() -> T:
        try:
            made: T = receiver.recv()
        except EOFError:
            made = make()
        return made

    try:
        yield result
    finally:
        process.terminate()
        process.join()
        receiver.close()


def _send(make: Callable[[], Any], sender: Connection) -> None:
    try:
        sender.send(make())
    except BaseException:  # noqa: BLE001  an interrupt too: the caller makes it again and tells what is wrong
        os._exit(1)
