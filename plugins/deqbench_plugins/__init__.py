"""The competitors that ship with deqbench: ordinary plugins, one room a kind, found by entry points."""
