"""The competitors that ship with deqbench, as ordinary plugins: one room a kind, found through entry points."""
