"""Conformance checks: does a component keep the rules that measuring rests on?

``deqbench check solvers/mine`` runs them; so does ``check_component`` in a plugin's own tests. A check is a
function whose docstring is its claim. It returns None, or what is wrong in one sentence; whatever it raises
fails it too.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deqbench.checks.declaration import DECLARATION
from deqbench.discovery.loading import one_line
from deqbench.discovery.registry import Registry
from deqbench.errors import ConfigurationError, DeqbenchError, InapplicableError
from deqbench.trials import Ref

__all__ = ["CheckResult", "Outcome", "check_component"]

Check = Callable[[Any], str | None]


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """One check of one component.

    Attributes:
        claim: What should be true, in one sentence.
        outcome: Whether it is.
        detail: What is wrong, or why the check does not apply.
    """

    claim: str
    outcome: Outcome
    detail: str = ""


def check_component(kind: str, name: str, registry: Registry) -> list[CheckResult]:
    """Return what every check of a kind finds in a component.

    Args:
        kind: One of ``deqbench.plugin.KINDS``.
        name: The component's name, with parameters where it needs some: ``openml[data_id=61]``.
        registry: Where it is found.

    Raises:
        UnknownNameError: There is none of that name.
        PluginError: It clashes or lacks a package.
    """
    ref = Ref.parse(name)
    registry.find(kind, ref.name)
    try:
        target = registry.target(kind, ref.name)
    except DeqbenchError as error:
        return [CheckResult("It can be imported.", Outcome.FAILED, str(error))]
    subject = Subject(kind, ref, registry, target)
    if kind == "suites":  # no class: its file is all there is
        return list(_results(kind, subject))
    return [*(_result(check, subject) for check in DECLARATION), *_working(subject)]


@dataclass(frozen=True)
class Subject:
    """What is checked: a component's class, and how it is built.

    Attributes:
        kind: Its kind.
        ref: Its name, and the parameters to check it with.
        registry: Where it was found.
        target: Its class, or a suite's path.
    """

    kind: str
    ref: Ref
    registry: Registry
    target: Any


def _working(subject: Subject) -> Iterator[CheckResult]:
    """Build the component and run the checks of its kind on it."""
    claim = "It is built from its parameters."
    try:
        component = subject.registry.build(subject.kind, subject.ref)
    except ConfigurationError as error:  # required parameters that were not given are no fault
        yield CheckResult(claim, Outcome.FAILED if subject.ref.parameters else Outcome.SKIPPED, str(error))
    except Exception as error:  # noqa: BLE001  whatever a constructor raises is a finding
        yield CheckResult(claim, Outcome.FAILED, one_line(error))
    else:
        yield CheckResult(claim, Outcome.PASSED)
        yield from _results(subject.kind, component)


def _results(kind: str, component: Any) -> Iterator[CheckResult]:
    module = importlib.import_module(f"deqbench.checks.{kind}")
    for check in module.CHECKS:
        yield _result(check, component)


def _result(check: Check, subject: Any) -> CheckResult:
    claim = (inspect.getdoc(check) or check.__name__).partition("\n")[0]
    try:
        fault = check(subject)
    except (InapplicableError, ConfigurationError) as error:
        return CheckResult(claim, Outcome.SKIPPED, str(error))
    except Exception as error:  # noqa: BLE001  whatever a component raises is a finding
        return CheckResult(claim, Outcome.FAILED, one_line(error))
    return CheckResult(claim, Outcome.FAILED if fault else Outcome.PASSED, fault or "")
