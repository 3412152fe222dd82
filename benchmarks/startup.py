"""What the command line costs before it does anything: CPU time against importing click and pluggy alone.

python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median, quantiles

FLOOR = [sys.executable, "-c", "import click, pluggy"]
COMMANDS = {
    "deqbench --help": [sys.executable, "-m", "deqbench", "--help"],
    "deqbench list": [sys.executable, "-m", "deqbench", "list"],
    "python -c 'import torch'": [sys.executable, "-c", "import torch"],
}
HELP_BAR = 3.0


def cpu_seconds(command: list[str]) -> float:
    """Return the user and system time of one run of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int) -> int:
    """Print each command's median CPU time and its ratio to the floor, taken in turn; 1 if --help is over."""
    print(f"floor: python -c 'import click, pluggy'; {rounds} rounds in turn, CPU time")
    ratios = {}
    for name, command in COMMANDS.items():
        for warm in (FLOOR, command):
            cpu_seconds(warm)
        pairs = [(cpu_seconds(command), cpu_seconds(FLOOR)) for _ in range(rounds)]
        found = [ours / floor for ours, floor in pairs]
        low, _, high = quantiles(found, n=4)
        ratios[name] = median(found)
        spent = 1000 * median(ours for ours, _ in pairs)
        print(f"{name:<28}{spent:8.0f} ms   {ratios[name]:6.2f} times the floor [{low:.2f}, {high:.2f}]")
    over = ratios["deqbench --help"] > HELP_BAR
    print(f"--help at most {HELP_BAR:g} times the floor: {'no' if over else 'yes'}")
    return int(over)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
