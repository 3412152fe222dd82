"""Binding, recording, defaults and warnings of ``equilibrium``."""

import warnings

import pytest
import torch

from deqbench.equilibria import unconverged
from deqbench.equilibria.binding import EquilibriumWarning, Ledger, bound, equilibrium, recording
from deqbench.equilibria.solving import Stop
from deqbench.errors import ConfigurationError, EquilibriumError
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.solvers.picard import Picard


@pytest.fixture
def unwarned(monkeypatch):
    monkeypatch.setattr(unconverged, "_warned", set())


def cosine(z, x):
    return 0.5 * torch.cos(z) + x


X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(3, 2)


def test_without_a_binding_the_defaults_serve():
    x = X.clone().requires_grad_()
    z = equilibrium(cosine, torch.zeros_like(X), x, stop=Stop(1e-10))
    torch.testing.assert_close(z, cosine(z, X), rtol=1e-9, atol=1e-9)
    (found,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(found, 1 / (1 + 0.5 * torch.sin(z)), rtol=1e-8, atol=1e-8)


def test_components_may_be_given_by_name():
    ledger = Ledger()
    equilibrium(
        cosine, torch.zeros_like(X), X, solver="picard[damping=0.5]", gradient="one-step", ledger=ledger
    )
    plain = Ledger()
    equilibrium(cosine, torch.zeros_like(X), X, solver="picard", gradient="one-step", ledger=plain)
    assert ledger.forward.map_calls > plain.forward.map_calls


def test_the_ledger_adds_up_what_solves_took():
    x = X.clone().requires_grad_()
    with bound(solver=Picard(), gradient=Implicit(), stop=Stop(1e-8)) as ledger:
        equilibrium(cosine, torch.zeros_like(X), x).sum().backward()
        before = ledger.to_costs()
        with torch.no_grad():
            equilibrium(cosine, torch.zeros_like(X), x)
    costs = ledger.to_costs()
    assert costs["forward_solves"] == 2
    assert costs["forward_samples"] == 6
    assert costs["backward_solves"] == 1
    assert costs["backward_vjps"] == before["backward_vjps"] > 3
    # The graph of the attached solve took one call more than the search.
    assert before["forward_map_calls"] == costs["forward_map_calls"] - before["forward_map_calls"] + 1
    assert costs["forward_unconverged_samples"] == 0
    assert 0 < costs["forward_worst_residual"] <= 1e-8


def test_recording_swaps_the_ledger_alone():
    with bound(solver=Picard(), gradient=Implicit(), stop=Stop(1e-8)) as outer:
        with recording(Ledger(keep_last=True)) as inner, torch.no_grad():
            z = equilibrium(cosine, torch.zeros_like(X), X)
        assert outer.forward.solves == 0
    f, last = inner.last
    assert torch.equal(last, z)
    torch.testing.assert_close(f(last), cosine(z, X))
    assert f.counter.calls == 1
    assert inner.solution.converged.all()
    assert inner.forward.solves == 1


def test_a_backward_solve_is_recorded_where_its_forward_was():
    x = X.clone().requires_grad_()
    with bound(solver=Picard(), gradient=Implicit(), stop=Stop(1e-8)) as ledger:
        loss = equilibrium(cosine, torch.zeros_like(X), x).sum()
    loss.backward()
    assert ledger.backward.solves == 1


def test_an_unconverged_solve_warns_once(unwarned):
    with pytest.warns(EquilibriumWarning, match="missed the tolerance"):
        equilibrium(cosine, torch.zeros_like(X), X, stop=Stop(1e-12, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        equilibrium(cosine, torch.zeros_like(X), X, stop=Stop(1e-12, 3))


def test_a_bound_solve_is_recorded_and_never_warns(unwarned):
    with bound(solver=Picard(), gradient=Implicit(), stop=Stop(1e-12, 3)) as ledger:
        equilibrium(cosine, torch.zeros_like(X), X)
    assert ledger.forward.unconverged_samples == 3


def test_unknown_options_are_errors():
    with pytest.raises(TypeError, match="f_stop_mode"):
        equilibrium(cosine, torch.zeros_like(X), X, f_stop_mode="rel")


def test_without_a_graph_only_the_solve_is_paid():
    with bound(solver=Picard(), gradient=Implicit(), stop=Stop(1e-8)) as ledger, torch.no_grad():
        z = equilibrium(cosine, torch.zeros_like(X), X.clone().requires_grad_())
    assert not z.requires_grad
    assert ledger.forward.map_calls == ledger.to_costs()["forward_map_calls"]
    assert ledger.backward.solves == 0


def test_an_unconverged_solve_raises_on_request():
    ledger = Ledger()
    with pytest.raises(EquilibriumError, match=r"3 of 3 samples of an equilibrium .* \(max_calls\)"):
        equilibrium(cosine, torch.zeros_like(X), X, stop=Stop(1e-12, 3), ledger=ledger, unconverged="raise")
    assert ledger.forward.unconverged_samples == 3


def test_an_unconverged_adjoint_raises_as_its_forward_was_to():
    x = X.clone().requires_grad_()
    gradient = Implicit(tolerance=1e-12, max_products=2)
    with bound(solver=Picard(), gradient=gradient, stop=Stop(1e-8), unconverged="raise"):
        z = equilibrium(cosine, torch.zeros_like(X), x)
    with pytest.raises(EquilibriumError, match="an adjoint equation"):
        z.sum().backward()


def test_a_solve_with_a_ledger_may_warn_too(unwarned):
    with pytest.warns(EquilibriumWarning, match="once a process"):
        equilibrium(cosine, torch.zeros_like(X), X, stop=Stop(1e-12, 3), ledger=Ledger(), unconverged="warn")


def test_a_converged_solve_raises_nothing():
    z = equilibrium(cosine, torch.zeros_like(X), X, stop=Stop(1e-8), unconverged="raise")
    torch.testing.assert_close(z, cosine(z, X), rtol=1e-7, atol=1e-7)


def test_an_unknown_answer_to_a_missed_tolerance_is_an_error():
    with pytest.raises(ConfigurationError, match="'record', 'warn' or 'raise'"):
        equilibrium(cosine, torch.zeros_like(X), X, unconverged="ignore")
