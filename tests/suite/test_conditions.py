import pytest

from deqbench.errors import ConfigurationError
from deqbench.suites.conditions import Cell, Where
from deqbench.trials import Ref

CELL = Cell(
    {"model": Ref("deq-mlp"), "solver": Ref("anderson", {"memory": 3}), "trainer": Ref("adam")},
    {"model": {"width": 64}, "solver": {"memory": 3}, "trainer": {"lr": 0.1}},
    seed=2,
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("model == 'deq-mlp'", True),
        ("model != 'deq-mlp'", False),
        ("solver == 'anderson'", True),
        ("solver == 'anderson[memory=3]'", True),
        ("'anderson' == solver", True),
        ("solver == 'anderson[memory=4]'", False),
        ("solver in ['direct', 'anderson']", True),
        ("solver not in ('direct', 'anderson')", False),
        ("trainer.lr < 0.2 and model.width >= 64", True),
        ("0.05 < trainer.lr < 0.1", False),
        ("trainer.lr > -1", True),
        ("not seed == 2", False),
        ("seed in [0, 1] or seed == 2", True),
        ("gradient == None", True),
        ("gradient != 'implicit'", True),
        ("gradient.order == None", True),
        ("gradient.order < 3", False),
        ("gradient.order > 3", False),
        ("  seed == 2  ", True),
    ],
)
def test_a_condition_holds_or_not(text, holds):
    assert Where.parse(text)(CELL) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model ==",
        "model = 'x'",
        "open('x')",
        "model.width.__class__ == 3",
        "trainer['lr'] == 3",
        "seed + 1 == 3",
        "[x for x in model]",
        "lambda: 1",
        "f'{model}' == 'x'",
        "-model == 3",
        "b'x' == model",
        "(lambda: 1).x == 3",
        "seed == 1; seed == 2",
        "(" * 300 + "seed" + ")" * 300,
        "seed\0 == 1",
    ],
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ConfigurationError, match="is no condition"):
        Where.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model is 'x'", "write == or !="),
        ("'x' in model", "is no list"),
        ("solvr == 'x'", "Did you mean 'solver'"),
        ("model == linear", "Unknown axis 'linear'"),
        ("seed.x == 3", "Unknown axis 'seed'. "),
    ],
)
def test_a_refusal_says_what_to_do(text, message):
    with pytest.raises(ConfigurationError, match=message):
        Where.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model == 'deq-mpl'", "No model here is 'deq-mpl'. Did you mean 'deq-mlp'?"),
        ("solver in ['anderson', 'broydn']", "No solver here is 'broydn'"),
        ("trainer.rate < 3", "No trainer here has a parameter 'rate'"),
        ("gradient == 'implicit'", "No gradient here is 'implicit'. Here: none."),
    ],
)
def test_what_can_never_be_meant_is_named(text, message):
    assert message in "".join(Where.parse(text).mistakes([CELL]))


def test_values_without_an_order_are_refused():
    with pytest.raises(ConfigurationError, match="have no order"):
        Where.parse("trainer.lr < 'x'")(CELL)
