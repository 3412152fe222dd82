"""The mathematics of the DELM: state, metric, losses, optimum, flow, rate, and the trust-region equivalence.

A library that trainers, probes and claims share; it offers no component of its own. Everything is float64.

Notation of the source paper: z = gamma S z + phi(x), S the column softmax of A, U = I - gamma S,
W = B U^-1 (m_y, m), f(x) = W phi(x). Features stand in rows here, (n, m), as everywhere in deqbench.

Source: K. Kawaguchi (2021), "On the Theory of Implicit Deep Learning: Global Convergence with Implicit
Layers", arXiv 2102.07346. Where a docstring says "own", the result was derived for this project.
"""
