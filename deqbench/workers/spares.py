"""A worker forked ahead: it waits for its one job, and has run nothing of anybody's when it gets it.

The fork of a process that has torch loaded takes longer than a small trial. Nothing but that is brought
forward: plugins are imported, output is redirected and clocks start once the job is there, in the same order
as in a worker that is forked for its job.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import NamedTuple


class Spare(NamedTuple):
    """A process that waits.

    Attributes:
        pid: Its process id.
        channel: The nursery's end; the job goes there.
    """

    pid: int
    channel: socket.socket

    def take(self, job: int, folder: str) -> int | None:
        """Give it its job; return its process id, or None if it is there no more.

        Args:
            job: The job's number.
            folder: The job's folder.
        """
        with self.channel:
            try:
                self.channel.sendall(json.dumps([job, folder]).encode() + b"\n")
            except OSError:  # somebody has killed it; it is about to be reaped
                return None
        return self.pid


def wait_for_job(channel: socket.socket) -> tuple[int, Path] | None:
    """Return the job's number and folder, or None if none comes: the nursery is gone.

    Args:
        channel: The spare's end; it is closed afterwards, as a job finds no descriptor of ours.
    """
    with channel, channel.makefile("r", encoding="utf-8") as lines:
        line = lines.readline()
    if not line:
        return None
    job, folder = json.loads(line)
    return job, Path(folder)
