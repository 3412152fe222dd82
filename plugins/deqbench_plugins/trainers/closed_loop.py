"""Somebody else's closed loop as a generator: it runs in a thread that waits at each callback."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Literal, TypeVar

T = TypeVar("T")


class _Abandoned(BaseException):
    """Unwinds a loop that nobody will resume; no ``except Exception`` on its way holds it up."""


def stepwise(solve: Callable[[Callable[[T], None]], None]) -> Generator[T, None, None]:
    """Yield what a closed loop hands to its callback, pausing the loop until the next item is asked for.

    Only one of the two threads runs at a time, so the loop may use the caller's tensors, and the caller's
    clock sees all of the work. The caller's context variables hold inside.

    Args:
        solve: Runs the loop; it is given the callback that hands one item over.

    Raises:
        BaseException: Whatever the loop raises, in the caller's thread.
    """
    items: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    orders: SimpleQueue[Literal["go on", "stop"]] = SimpleQueue()

    def hand_over(item: T) -> None:
        items.put((item,))
        if orders.get() == "stop":
            raise _Abandoned

    def body() -> None:
        try:
            solve(hand_over)
        except _Abandoned:
            items.put(None)
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            items.put(error)
        else:
            items.put(None)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(body,), daemon=True)
    thread.start()
    while (item := items.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        try:
            yield item[0]
        except GeneratorExit:
            orders.put("stop")
            thread.join()
            raise
        orders.put("go on")
