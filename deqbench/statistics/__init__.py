"""What may be concluded from trials: pairs, intervals, tests, effects, censored times, profiles, rates.

Pure mathematics on numpy, scipy and pandas: nothing here knows a run folder, a suite or torch. Whatever is
random takes a seed and gives the same numbers twice. Nothing that failed is dropped: a failed trial counts
as worse than every number, is censored where time is concerned, and is counted beside every result.

The usual way through, from a table with a row a trial (``dataset``, ``entry``, ``seed``, ``status`` and one
column a metric or cost)::

    from deqbench.statistics.comparison import pairwise, table
    from deqbench.statistics.equivalence import Rope
    from deqbench.statistics.paired import Measure

    calls = Measure("map_calls", higher_is_better=False, kind="ratio")
    answers = pairwise(trials, calls, rope=Rope.parse("1%"))
    table(answers)[["first", "second", "estimate", "low", "high", "pairs", "p_holm", "verdict"]]

One question at a time::

    from deqbench.statistics.comparison import compare
    from deqbench.statistics.paired import paired_differences

    pairs = paired_differences(trials, "anderson", "picard", calls)
    answer = compare(pairs, rope=Rope.parse("1%"))
    answer.shown, answer.test.p, answer.verdict  # Interval(n=6, estimate=0.71, ...), 0.03125, improved

Time to a target, from curves (a row an observation) and trials::

    from deqbench.statistics.survival import logrank, restricted_means, time_to_target
    from deqbench.statistics.targets import target_grid, times_to_targets

    grid = target_grid(curves, "test_loss", higher_is_better=False, count=20)
    times = times_to_targets(curves, trials, "test_loss", grid, higher_is_better=False, clock="seconds")
    restricted_means(times)  # a row an entry and target: mean, interval, horizon, censored share

Modules: ``intervals``, ``hierarchical``, ``medians``, ``failures``, ``paired``, ``permutation``,
``multiplicity``, ``effects``, ``equivalence``, ``comparison``, ``power`` (standard library alone: the command
line imports it), ``detectable``, ``targets``, ``survival``, ``attainment``, ``profiles``, ``stability``,
``rates``, ``scaling``. Import from the module: this package imports nothing itself, so that ``power`` costs
no pandas.
"""
