"""Full-batch L-BFGS: torch's, one iteration a step, without its double evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from deqbench.learning.objective import Objective


@dataclass(frozen=True)
class Lbfgs:
    """L-BFGS with a strong Wolfe line search (``torch.optim.LBFGS``); ends where the gradient is small."""

    memory: Annotated[int, Field(ge=1, description="Past steps that shape the next one.")] = 10
    gtol: Annotated[float, Field(ge=0, description="Ends where no gradient entry is larger.")] = 1e-10
    line_search_calls: Annotated[int, Field(ge=1, description="Loss evaluations allowed to one step.")] = 25

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Step; ends by itself where the gradient is below ``gtol`` or no step moves the parameters."""
        optimizer = torch.optim.LBFGS(
            objective.parameters,
            max_iter=1,
            max_eval=self.line_search_calls,
            history_size=self.memory,
            tolerance_grad=self.gtol,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )
        memo = _Memo(objective)
        before = objective.vector
        while True:
            optimizer.step(memo.evaluate)  # type: ignore[no-untyped-call]  # unannotated in torch
            after = objective.vector
            if torch.equal(before, after):
                return
            before = after
            yield memo.settle(after)


class _Memo:
    """Losses and gradients of the current step's trial points.

    torch's L-BFGS evaluates the point it stands on again at the start of each step, although its line search
    has just been there: half of all evaluations in an easy run. Those are answered from memory, bit for bit.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._seen: list[tuple[Tensor, Tensor, list[Tensor]]] = []

    def evaluate(self) -> Tensor:
        """Return the loss at the current parameters and leave its gradient in ``.grad``."""
        here = self._objective.vector
        for vector, loss, gradients in self._seen:
            if torch.equal(vector, here):
                for parameter, gradient in zip(self._objective.parameters, gradients, strict=True):
                    parameter.grad = gradient.clone()
                return loss
        loss = self._objective.backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._objective.parameters]
        self._seen.append((here, loss, gradients))
        return loss

    def settle(self, vector: Tensor) -> Tensor:
        """Forget every point but this one, (P,), and return the loss there."""
        self._seen = [known for known in self._seen if torch.equal(known[0], vector)]
        return self._seen[0][1] if self._seen else self.evaluate()
