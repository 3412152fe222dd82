"""Checks of claims: what they say of empty tables."""

from __future__ import annotations

CHECKS = ()  # the verdicts a claim gives are checked where claims are judged: with tables of a run
