"""Which commit of deqbench this is, where it was imported from a checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

_SOURCE = ("deqbench", "plugins")
_SECONDS = 10.0


def checkout_facts(module_file: Path) -> dict[str, Any] | None:
    """Return the git commit that a module belongs to and whether the source differs from it.

    Only a repository that tracks this very file counts: a virtual environment inside somebody
    else's repository says nothing about deqbench. Reports and other files beside the source do
    not make it dirty.

    Args:
        module_file: ``__init__.py`` of deqbench's package. Where it lies is not told: it names a person.

    Returns:
        ``commit`` (hexadecimal) and ``dirty``; None outside a checkout or without git.
    """
    file = module_file.resolve()
    root = file.parent.parent
    if _git(root, "ls-files", "--error-unmatch", "--", str(file)) is None:
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", *(name for name in _SOURCE if (root / name).exists()))
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it is missing, fails or takes too long."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
