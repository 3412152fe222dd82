"""Frozen values that say what is to be run: ``Ref``, a component with its parameters, and ``Trial``.

A trial's key is the hash of everything that can change its result: components with every parameter resolved,
seed, settings, plugin digests and the fingerprint of its data. Host, attempt and wall-time limits are not
in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from deqbench.errors import ConfigurationError

PROTOCOL = 1
"""Version of what a trial means; raising it makes every stored record stale."""


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, non-finite floats refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any, length: int = 16) -> str:
    """Return the first ``length`` hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Ref:
    """A component's name with the parameters that were given for it.

    On the command line ``anderson[memory=5]``; in TOML the same string or the table
    ``{ name = "anderson", memory = 5 }``.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read ``name`` or ``name[key=value, ...]``; values are TOML, bare words are strings.

        Raises:
            ConfigurationError: The brackets do not close or a value cannot be read.
        """
        name, bracket, rest = text.strip().partition("[")
        if not bracket:
            return cls(name.strip())
        if not rest.endswith("]"):
            raise ConfigurationError(f"'{text}' lacks its closing bracket; write name[key=value].")
        return cls(name.strip(), dict(_parameter(part, text) for part in split_outside(rest[:-1])))

    @classmethod
    def of(cls, value: str | Mapping[str, Any] | Ref) -> Ref:
        """Read a Ref from a string, a table with ``name``, or a Ref.

        Raises:
            ConfigurationError: The table has no name, or the value is something else.
        """
        if isinstance(value, Ref):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):
            return cls(value["name"], {key: item for key, item in value.items() if key != "name"})
        raise ConfigurationError(
            f"{value!r} is no component; write 'name', 'name[key=value]' or {{ name = ... }}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the table form, ``{"name": ..., **parameters}``."""
        return {"name": self.name, **self.parameters}

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        inside = ",".join(f"{key}={_shown(value)}" for key, value in self.parameters.items())
        return f"{self.name}[{inside}]"

    def __hash__(self) -> int:
        return hash(canonical_json(self.to_json()))


def split_outside(text: str, separator: str = ",") -> list[str]:
    """Split at separators that stand outside brackets, braces and quotes; empty parts are dropped."""
    parts, depth, quote, start = [], 0, "", 0
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def toml_value(text: str) -> Any:
    """Read one TOML value.

    ``.5`` is a number, a bare word such as ``anderson[memory=3]`` is itself, as a string.
    """
    written = re.sub(r"^([+-]?)\.(?=\d)", r"\g<1>0.", text.strip())
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _parameter(part: str, whole: str) -> tuple[str, Any]:
    key, equals, value = part.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise ConfigurationError(f"'{part}' in '{whole}' is no parameter; write key=value.")
    return key.strip(), toml_value(value.strip())


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(Ref.of(value)) if "name" in value else canonical_json(value)
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Limits:
    """What a trial may cost before it is stopped; not part of its identity.

    Attributes:
        seconds: Wall time from the start of the trial; None for no limit.
        memory_bytes: Resident memory of the trial's process group; None for no limit.
    """

    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Trial:
    """One fully resolved cell of a suite.

    Attributes:
        suite: Name of the suite it belongs to.
        experiment: What is measured: ``training``, ``equilibrium`` or ``gradient``.
        components: Axis (dataset, model, map, solver, gradient, trainer) to the Ref as the suite wrote it.
        parameters: Axis to all of the component's parameters, defaults filled in.
        seed: The suite's seed; the streams (data, init, order, probe) are derived from it.
        settings: Everything else that shapes the result: dtype, device, threads, stop (tolerance and call
            limit of equilibria); for training budget.epochs and budget.steps, loss, evaluations; for the
            other experiments repeats.
        probes: Refs of the probes observed along the trial.
        provenance: What the result rests on: ``experiment``, ``data`` and one digest for each component
            (``dataset:digits``, ``model:deq-linear``, ...).
        limits: Wall time and memory allowed; outside the key.
    """

    suite: str
    experiment: str
    components: Mapping[str, Ref]
    parameters: Mapping[str, Mapping[str, Any]]
    seed: int
    settings: Mapping[str, Any]
    probes: tuple[Ref, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()

    @property
    def identity(self) -> dict[str, Any]:
        """What the key is the hash of, in named parts, so that ``deqbench why`` can name what changed."""
        return {
            "protocol": PROTOCOL,
            "experiment": self.experiment,
            "components": {axis: ref.name for axis, ref in self.components.items()},
            "parameters": {axis: dict(values) for axis, values in self.parameters.items()},
            "seed": self.seed,
            "settings": dict(self.settings),
            "probes": [ref.to_json() for ref in self.probes],
            "provenance": dict(self.provenance),
        }

    @cached_property
    def key(self) -> str:
        """The trial's content key: 16 hexadecimal digits."""
        return digest(self.identity)

    @cached_property
    def cell(self) -> str:
        """The trial's place in its suite, whatever code it runs: its identity without provenance."""
        return digest({name: part for name, part in self.identity.items() if name != "provenance"})

    @property
    def entry(self) -> str:
        """The competitor: model, solver, gradient and trainer, as the suite wrote them."""
        axes = ("model", "solver", "gradient", "trainer")
        rest = [axis for axis in self.components if axis not in (*axes, "dataset", "map")]
        return " | ".join(str(self.components[axis]) for axis in (*axes, *rest) if axis in self.components)

    @property
    def label(self) -> str:
        """One line for a person: data set or map, entry and seed."""
        ground = self.components.get("dataset", self.components.get("map"))
        return " | ".join(filter(None, [str(ground) if ground else "", self.entry, f"seed {self.seed}"]))

    def with_provenance(self, provenance: Mapping[str, str]) -> Trial:
        """Return the trial resting on the given provenance."""
        return replace(self, provenance=dict(provenance))

    def to_json(self) -> dict[str, Any]:
        """Return the trial as JSON values."""
        return {
            **self.identity,
            "suite": self.suite,
            "components": {axis: ref.to_json() for axis, ref in self.components.items()},
            "limits": {"seconds": self.limits.seconds, "memory_bytes": self.limits.memory_bytes},
            "key": self.key,
            "cell": self.cell,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Trial:
        """Return the trial that :meth:`to_json` wrote."""
        return cls(
            suite=value["suite"],
            experiment=value["experiment"],
            components={axis: Ref.of(ref) for axis, ref in value["components"].items()},
            parameters=value["parameters"],
            seed=value["seed"],
            settings=value["settings"],
            probes=tuple(Ref.of(ref) for ref in value["probes"]),
            provenance=value["provenance"],
            limits=Limits(**value["limits"]),
        )
