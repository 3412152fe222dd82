"""``python -m deqbench`` is ``deqbench``."""

from __future__ import annotations

from deqbench.cli import main

if __name__ == "__main__":
    main()
