"""Finding plugins: each loaded alone inside a guard, its components typed, documented and known by source."""
