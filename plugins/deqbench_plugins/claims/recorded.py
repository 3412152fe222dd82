"""C1, C4 and C9 on the records of any training: what the probes of the theory observed along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.recordings import DELM, finished, plain, unobserved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deqbench_plugins.claims.recordings import Piece, Row, Runs

LINEAR = ("gd", "sgd", "gradient-flow")
"""Trainers whose updates are linear in gradients."""
ADAPTIVE = ("adam", "adamw")
_DRIFT = {True: 1e-10, False: 1e-2}
"""What rounding may do to a column sum in float64, and in float32."""
_FLOOR = {True: 1e-8, False: 1e-4}
"""Share of the first gap below which a gap is not told from rounding."""
VACUOUS = 0.01
"""A bound that predicts less decay over a whole run says nothing."""
FASTER = 1.02
"""The control's rate, over the observed one."""


@dataclass(frozen=True)
class RecordedColumnSums:
    """C9 on records: ``column_sum_drift`` of the probe ``theory-invariants``; Adam's runs are the control."""

    code: ClassVar[str] = "C9-records"
    statement: ClassVar[str] = (
        "In this run: column sums of A are conserved by every trainer whose updates are linear in gradients."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-9

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece an entry of gd, sgd and gradient-flow on ``deq-linear``."""
        runs = finished(trials, curves, {DELM})
        linear = [one for one in runs if one.trainer in LINEAR]
        adaptive = [one for one in runs if one.trainer in ADAPTIVE]
        seen = [one for one in linear if one.along("column_sum_drift")]
        if not seen:
            return unobserved(linear, "column sums of A", "theory-invariants")
        pieces = []
        for one in seen:
            control = [point for other in adaptive for point in _drifts(other, precise=one.precise)]
            evidence = Evidence(
                (plain(one),),
                tuple(_drifts(one, precise=one.precise)),
                tuple(control) if control else None,
                "Adam in place of updates linear in gradients" if control else "",
            )
            pieces.append((one.keys, evidence))
        return pieces


def _drifts(runs: Runs, *, precise: bool) -> list[Point]:
    return [
        Point(row["step"], row["column_sum_drift"], _DRIFT[precise])
        for rows in runs.along("column_sum_drift")
        for row in rows[1:]
    ]


@dataclass(frozen=True)
class RecordedLeastEigenvalue:
    """C4 on records: ``lambda_low`` and ``lambda_over_paper`` of ``theory-metric``, whatever the trainer."""

    code: ClassVar[str] = "C4-records"
    statement: ClassVar[str] = (
        "In this run: lambda_min(D_t) >= 1 / (m (1 + gamma)^2) at every observation of every DELM."
    )
    source: ClassVar[str] = "Kawaguchi 2021 [RECALL]; the lower end of the certificate: own."
    tolerance: ClassVar[float] = 1e-6

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece an entry of ``deq-linear``; the control is a floor of 1, as if D >= I."""
        runs = finished(trials, curves, {DELM})
        pieces: list[Piece] = []
        for one in runs:
            seen = [
                (row["step"], row["lambda_low"], row["lambda_over_paper"])
                for rows in one.along("lambda_low", "lambda_over_paper")
                for row in rows
            ]
            if seen:
                points = tuple(Point(step, low / ratio, low) for step, low, ratio in seen)
                control = tuple(Point(step, 1.0, low) for step, low, _ in seen)
                least = min(ratio for _, _, ratio in seen)
                fact = Assumption("lambda_over_paper", least, holds=True, sentence="least lambda / floor")
                pieces.append((one.keys, Evidence((fact,), points, control, "a floor of 1")))
        return pieces or unobserved(runs, "eigenvalues of D", "theory-metric")


@dataclass(frozen=True)
class RecordedRate:
    """C1, C2 and C7 on records: ``gap`` of ``theory-rate`` under gradient flow and gradient descent.

    The flow is compared with gap(0) exp(-kappa lambda_T t), gradient descent with
    gap(0) (1 - lr kappa lambda_T / 2)^k, for a step below the ``delta_bar`` of ``theory-trust-region``. The
    control claims 2 per cent more than the mean rate that was observed.
    """

    code: ClassVar[str] = "C1-records"
    statement: ClassVar[str] = (
        "In this run: the gap of every DELM stays below theorem 1's bound under gradient flow, and below "
        "(1 - lr kappa lambda_T / 2)^k under gradient descent with lr <= 1 / lambda_max(D H)."
    )
    source: ClassVar[str] = "Kawaguchi 2021, theorem 1 and corollaries [RECALL]; gradient descent: own."
    tolerance: ClassVar[float] = 1e-6

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece an entry of gd and gradient-flow on ``deq-linear``."""
        runs = [one for one in finished(trials, curves, {DELM}) if one.trainer in {"gd", "gradient-flow"}]
        pieces = [(one.keys, evidence) for one in runs if (evidence := _rate(one)) is not None]
        return pieces or unobserved(runs, "gap and bound", "theory-rate")


_RATE = ("gap", "kappa", "lambda_T", "optimum_attained")


def _rate(runs: Runs) -> Evidence | None:
    """Return what the gaps of one entry show; None where they were not observed."""
    trials = runs.along(*_RATE, beside="rate_bound")
    if not trials:
        return None
    points: list[Point] = []
    control: list[Point] = []
    for rows in trials:
        first = rows[0]["gap"]
        kept = [row for row in rows[1:] if row["gap"] > _FLOOR[runs.precise] * first]
        points += [Point(row["step"], row["gap"] / first, _bound(runs, row, first)) for row in kept]
        control += [Point(one.t, one.quantity, one.quantity**FASTER) for one in points[-1:]]
    attained = all(row["optimum_attained"] == 1 for rows in trials for row in rows)
    predicted = 1 - min((point.bound for point in points), default=1.0)
    facts = (
        Assumption("optimum_attained", float(attained), attained, "an optimum exists at a finite W"),
        plain(runs),
        Assumption("predicted_decay", predicted, holds=True, sentence="decay that the bound predicts"),
        *_short_steps(runs),
    )
    short = points and predicted < VACUOUS
    vacuous = f"it predicts a decay of {predicted:.2g} over the whole run" if short else None
    return Evidence(facts, tuple(points), tuple(control), "2 per cent more than the observed rate", vacuous)


def _bound(runs: Runs, row: Row, first: float) -> float:
    """Return the bound over the first gap."""
    if runs.trainer != "gd":
        return row["rate_bound"] / first
    factor = 1 - runs.value("trainer.lr") * row["kappa"] * row["lambda_T"] / 2
    return float(max(factor, 0.0) ** row["step"])


def _short_steps(runs: Runs) -> list[Assumption]:
    if runs.trainer != "gd":
        return []
    reach = min((row["delta_bar"] for rows in runs.along("delta_bar") for row in rows), default=None)
    rate = runs.value("trainer.lr")
    if reach is None:
        sentence = "the step is below delta bar (add 'theory-trust-region' to the suite's probes)"
        return [Assumption("delta_bar", None, holds=False, sentence=sentence)]
    sentence = f"lr = {rate:g} is at most delta bar = 1 / lambda_max(D H), all along"
    return [Assumption("delta_bar", reach, rate <= reach, sentence)]
