import pytest

from deqbench.errors import ConfigurationError
from deqbench.suites.selection import select
from deqbench.suites.suite import expand, read_suite

GRID = """
[[grid]]
model = ["deq-linear", "deq-mlp"]
solver = ["direct", "anderson", "anderson[memory=3]"]
gradient = "implicit[solver=anderson]"

[[grid]]
model = "linear"
trainer = ["gd", "adam[lr=0.5]"]
"""


@pytest.fixture(scope="module")
def trials(registry, tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "some.toml"
    head = 'seeds = [0, 1]\n[budget]\nepochs = 2\n[defaults]\ndataset = "wine"\ntrainer = "adam"\n'
    path.write_text(head + GRID)
    return expand(read_suite(str(path), registry), registry)


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ("dataset=wine", 16),
        ("model=deq-linear", 6),
        ("model=deq-*", 12),
        ("model=deq-linear|linear", 10),
        ("model=deq-linear,seed=0", 3),
        ("model = deq-linear , seed = 0", 3),
        ("seed=0|1", 16),
        ("solver=anderson", 8),
        ("solver=anderson[memory=3]", 4),
        ("solver=anderson[memory=5]", 4),
        ("solver=direct|anderson[memory=5],model=deq-mlp", 4),
        ("trainer.lr=0.5", 2),
        ("trainer.lr=0.01,model=linear", 2),
        ("gradient=implicit[solver=anderson]", 12),
    ],
)
def test_a_selection_keeps_the_trials_it_names(only, count, trials):
    assert len(select(trials, only)) == count


def test_a_selection_keeps_the_order(trials):
    selected = select(trials, "seed=1,model=linear|deq-mlp")
    assert selected == [trial for trial in trials if trial in selected]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("", "It is empty"),
        ("model", "'model' is no clause"),
        ("model=", "'model=' is no clause"),
        ("modle=linear", "Unknown axis 'modle'. Did you mean 'model'?"),
        ("seed.x=3", "Unknown axis 'seed'"),
        ("model=liner", "model=liner matches no trial. Did you mean 'linear'?"),
        ("model=linear|deq-lin", "model=deq-lin matches no trial"),
        ("seed=7", "seed=7 matches no trial. Here: 0, 1."),
        ("solver=anderson[memory=4]", "Here: direct, anderson, anderson[memory=3]."),
        ("trainer.rate=1", "trainer.rate=1 matches no trial. Here: nothing."),
        ("solver=anderson[memory=3", "lacks its closing bracket"),
        ("model=linear,solver=direct", "selects none of the 16 trials"),
    ],
)
def test_a_selection_of_nothing_is_refused(only, message, trials):
    with pytest.raises(ConfigurationError) as caught:
        select(trials, only)
    assert message in str(caught.value)


def test_all_mistakes_of_a_selection_are_named(trials):
    with pytest.raises(ConfigurationError) as caught:
        select(trials, "modle=x,seed=9,model=liner")
    assert len(caught.value.mistakes) == 3
