"""The account of a training's solves, and what naming the experiments costs."""

from __future__ import annotations

import subprocess
import sys

from deqbench.equilibria.binding import Ledger, Totals
from deqbench.experiments.accounts import Account, added


def test_counts_add_up_and_the_worst_residual_is_the_greater():
    total = added(Totals(solves=2, vjps=3, worst_residual=0.5), Totals(solves=1, worst_residual=0.25))
    assert total == Totals(solves=3, vjps=3, worst_residual=0.5)


def test_a_window_holds_what_came_since_the_one_before():
    account = Account()
    account.live.forward.solves = 4
    assert account.close_window().forward.solves == 4
    account.live.forward.solves += 1
    assert account.close_window().forward.solves == 1
    assert account.to_costs()["forward_solves"] == 5


def test_the_live_ledger_stays_the_same_object():
    account = Account()
    live = account.live
    account.close_window()
    assert account.live is live
    assert isinstance(live, Ledger)


def test_naming_the_experiments_imports_no_torch():
    code = "import sys, deqbench.experiments as e; assert e.EXPERIMENTS; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
