"""Suites: TOML, read, checked whole and expanded into trials before anything runs."""
