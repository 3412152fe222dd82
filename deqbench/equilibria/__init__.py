"""The equilibrium engine: counted maps, a judge of residuals, one loop, and ``equilibrium(f, z0, *inputs)``.

It stands on its own: ``from deqbench import equilibrium`` needs no suite and no harness.
"""
