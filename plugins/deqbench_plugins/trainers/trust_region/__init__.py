"""A trust region in a given metric: the loop, two ways to solve its subproblem, and three metrics."""
