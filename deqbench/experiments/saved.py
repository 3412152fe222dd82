"""What autograd saves for backward, in bytes: exact, by storages, where resident memory would be noise."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from torch.autograd.graph import saved_tensors_hooks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from torch import Tensor


class _Held:
    """One saved tensor; it goes when the graph that saved it goes."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class SavedTensors:
    """Context manager that knows which tensors the graphs recorded inside it hold.

    Tensors that a ``Function`` keeps otherwise than by ``save_for_backward`` are not seen.

    Args:
        own: Tensors that are there anyway, such as parameters; their storages are not counted.
    """

    def __init__(self, own: Iterable[Tensor] = ()) -> None:
        self._own = {_storage(tensor)[0] for tensor in own}
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._hooks = saved_tensors_hooks(self._pack, _unpack)

    def __enter__(self) -> SavedTensors:
        self._hooks.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hooks.__exit__(kind, error, traceback)

    @property
    def alive_bytes(self) -> int:
        """Bytes of all storages that graphs still hold, each counted once."""
        alive = dict(_storage(held.tensor) for held in self._held)
        return sum(size for place, size in alive.items() if place not in self._own)

    def _pack(self, tensor: Tensor) -> _Held:
        held = _Held(tensor.detach())
        self._held.add(held)
        return held


def _unpack(held: _Held) -> Tensor:
    return held.tensor


def _storage(tensor: Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.nbytes()
