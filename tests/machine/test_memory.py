"""Peak memory: what was held inside, not before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deqbench.measuring import memory
from deqbench.measuring.memory import PeakMemory

MIB = 1024**2


def hold(mebibytes):
    return b"\1" * (mebibytes * MIB)


def test_the_peak_is_what_was_held_inside_though_it_was_freed():
    with PeakMemory() as peak:
        hold(64)
    assert 60 * MIB < peak.peak_bytes < 80 * MIB


def test_memory_held_before_is_not_charged():
    held = hold(64)
    with PeakMemory() as peak:
        hold(8)
    assert peak.peak_bytes < 24 * MIB
    assert len(held) == 64 * MIB


def test_a_second_smaller_stretch_has_a_smaller_peak():
    with PeakMemory() as first:
        hold(96)
    with PeakMemory() as second:
        hold(32)
    assert "reset" in second.method
    assert second.peak_bytes < first.peak_bytes - 32 * MIB


def test_memory_held_after_is_not_charged():
    with PeakMemory() as peak:
        hold(8)
    before = peak.peak_bytes
    hold(64)
    assert peak.peak_bytes == before


def test_where_the_mark_cannot_be_reset_the_method_says_so(monkeypatch):
    monkeypatch.setattr(memory, "_reset_high_water_mark", lambda: False)
    with PeakMemory() as peak:
        hold(8)
    assert peak.method == "resident high-water mark, not reset"
    assert peak.peak_bytes >= 0


def test_the_high_water_mark_is_the_one_the_kernel_reports():
    hold(64)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    assert memory._high_water_mark() >= resident


def test_on_cuda_the_peak_is_the_allocator_s(monkeypatch):
    resets = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", resets.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 1234)
    with PeakMemory("cuda:0") as peak:
        pass
    assert (resets, peak.peak_bytes, peak.method) == (["cuda:0"], 1234, "cuda allocator")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_tensor_on_cuda_counts_to_the_byte():
    with PeakMemory("cuda") as peak:
        held = torch.empty(MIB, dtype=torch.uint8, device="cuda")
        after = peak.peak_bytes
        del held
    assert peak.peak_bytes == after >= MIB
