"""Malformed suites: what is wrong, the file, and what its one message must say."""

BUDGET = "[budget]\nepochs = 2\n"
DEFAULTS = '[defaults]\ndataset = "digits"\ntrainer = "adam"\n'
EXPLICIT = '[[grid]]\nmodel = "linear"\n'
IMPLICIT = '[[grid]]\nmodel = "deq-linear"\nsolver = "anderson"\ngradient = "implicit"\n'
BASE = BUDGET + DEFAULTS


def top(line, grid=EXPLICIT):
    """Return a good suite with one line at its top."""
    return f"{line}\n{BASE}{grid}"


def block(*lines):
    """Return a good suite whose one block has these lines."""
    return BASE + "[[grid]]\n" + "\n".join(lines) + "\n"


CASES = {
    "bad TOML": (top("seeds = [0, 1"), ["is no TOML", "line"]),
    "a key written twice": (top("threads = 1\nthreads = 2"), ["is no TOML", "line 2"]),
    "unknown key": (top("seed = [0]"), ["line 1, seed", "Unknown key 'seed'", "Did you mean 'seeds'?"]),
    "unknown key in a table": (
        BUDGET + "epoch = 3\n" + DEFAULTS + EXPLICIT,
        ["line 3, budget.epoch", "Did you mean 'epochs'?"],
    ),
    "unknown axis in a block": (
        block('model = "linear"', 'solvers = "direct"'),
        ["line 8, grid[0].solvers", "Did you mean 'solver'?"],
    ),
    "unknown axis in defaults": (
        BASE + 'probe = "loss"\n' + EXPLICIT,
        ["line 6, defaults.probe", "Unknown key 'probe'", "Allowed here: dataset, model"],
    ),
    "wrong type": (top('threads = "1"'), ["line 1, threads", "'1' (text)", "it must be a valid integer"]),
    "a truth value for a number": (top("threads = true"), ["threads", "True (truth value)"]),
    "a number for a table": ("budget = 5\n" + DEFAULTS + EXPLICIT, ["line 1, budget", "must be a table"]),
    "seeds that are no list": (top("seeds = 3"), ["line 1, seeds", "3 (integer)", "must be a list"]),
    "seed of the wrong type": (top("seeds = [0, 1.5]"), ["line 1, seeds[1]", "1.5 (number)"]),
    "negative seed": (top("seeds = [-1]"), ["seeds[0]", "-1", "greater than or equal to 0"]),
    "no seeds": (top("seeds = []"), ["seeds", "give at least one"]),
    "duplicate seeds": (top("seeds = [0, 1, 0]"), ["line 1, seeds", "0 is listed twice"]),
    "duplicate probes": (top('probes = ["loss", "loss"]'), ["line 1, probes", "loss is listed twice"]),
    "unknown experiment": (top('experiment = "trainings"'), ["experiment", "it must be 'training'"]),
    "bad dtype": (top('dtype = "float16"'), ["dtype", "'float32' or 'float64'"]),
    "bad device": (top('device = "gpu"'), ["device", "'cpu', 'cuda' or 'auto'"]),
    "bad norm": (top('stop.norm = "l2"'), ["line 1, stop.norm", "'relative', 'absolute' or 'l1'"]),
    "infinite tolerance": (top("stop.tolerance = inf"), ["stop.tolerance", "finite number"]),
    "bad loss": (top('loss.name = "hinge"'), ["loss.name", "'cross-entropy'"]),
    "bad name": (top('name = "My Suite"'), ["line 1, name", "lower case"]),
    "negative budget": (
        "[budget]\nepochs = -2\n" + DEFAULTS + EXPLICIT,
        ["line 2, budget.epochs", "-2 (integer)", "greater than 0"],
    ),
    "no budget": (DEFAULTS + EXPLICIT, ["line 4, grid[0]", "budget.epochs or budget.steps"]),
    "only a wall limit": ("[budget]\nseconds = 9\n" + DEFAULTS + EXPLICIT, ["would never end"]),
    "no grid": (BASE, ["grid", "It is missing; add [[grid]]"]),
    "empty grid": ("grid = []\n" + BASE, ["line 1, grid", "it is empty"]),
    "empty axis": (
        block('model = "linear"', "trainer = []"),
        ["line 8, grid[0].trainer", "give at least one"],
    ),
    "unknown probe": (top('probes = ["accurcy"]'), ["probes[0]", "Did you mean 'accuracy'?"]),
    "unknown claim": (top('claims = ["descent"]'), ["claims[0]", "Unknown claim 'descent'"]),
    "unknown component": (
        block('model = "deq-linear"', 'solver = "andersen"', 'gradient = "implicit"'),
        ["line 8, grid[0].solver", "Unknown solver 'andersen'", "Did you mean 'anderson'?"],
    ),
    "unknown component in defaults": (
        BUDGET + '[defaults]\ndataset = "digit"\ntrainer = "adam"\n' + EXPLICIT,
        ["line 4, defaults.dataset", "Did you mean 'digits'?"],
    ),
    "component of another kind": (
        block('model = "anderson"'),
        ["Unknown model 'anderson'", "There is a solver of that name"],
    ),
    "unknown parameter": (
        block('model = "linear"', 'trainer = "adam[lrr=0.1]"'),
        ["line 8, grid[0].trainer", "lrr", "Did you mean 'lr'?"],
    ),
    "bad parameter value": (
        block('model = "linear"', 'trainer = { name = "adam", lr = -1 }'),
        ["line 8, grid[0].trainer", "lr", "number > 0"],
    ),
    "parameter of the wrong type": (
        block('model = "linear"', "trainer = { name = 'adam', lr = '0.1' }"),
        ["grid[0].trainer", "lr", "0.1"],
    ),
    "parameter that cannot be stored": (
        block('model = "linear"', 'trainer = { name = "adam", lr = 1979-05-27 }'),
        ["grid[0].trainer", "adam"],
    ),
    "bad nested component": (
        block('model = "deq-linear"', 'solver = "direct"', 'gradient = "implicit[solver=andersen]"'),
        ["grid[0].gradient", "andersen", "Did you mean 'anderson'?"],
    ),
    "brackets that do not close": (
        block('model = "linear"', 'trainer = ["adam[lr=0.1"]'),
        ["line 8, grid[0].trainer[0]", "lacks its closing bracket"],
    ),
    "component without a name": (
        block("model = { width = 3 }"),
        ["line 7, grid[0].model", "is no component"],
    ),
    "no model": (block('solver = "anderson"'), ["line 6, grid[0]", "no model"]),
    "no data set": (BUDGET + EXPLICIT + 'trainer = "adam"\n', ["grid[0]", "It has no dataset"]),
    "implicit model without a solver": (
        block('model = "deq-linear"', 'gradient = "implicit"'),
        ["line 6, grid[0]", "'deq-linear' is implicit and needs a solver"],
    ),
    "implicit model without a gradient": (
        block('model = "deq-linear"', 'solver = "anderson"'),
        ["'deq-linear' is implicit and needs a gradient"],
    ),
    "explicit model with a solver": (
        block('model = ["deq-linear", "linear"]', 'solver = "anderson"', 'gradient = "implicit"'),
        ["'linear' is explicit and takes no solver and no gradient", "move it"],
    ),
    "where that is no expression": (
        block('model = "linear"', 'where = "model == "'),
        ["line 8, grid[0].where", "is no condition"],
    ),
    "where that calls": (
        block('model = "linear"', "where = \"__import__('os').system('true')\""),
        ["grid[0].where", "is not allowed"],
    ),
    "where with an unknown axis": (
        block('model = "linear"', "where = \"modell == 'linear'\""),
        ["Unknown axis 'modell'", "Did you mean 'model'?"],
    ),
    "where with a misspelt component": (
        block('model = ["linear", "mlp"]', "where = \"model != 'liner'\""),
        ["grid[0]", "No model here is 'liner'", "Did you mean 'linear'?"],
    ),
    "where with an unknown parameter": (
        block('model = "linear"', 'where = "trainer.lrr < 1"'),
        ["No trainer here has a parameter 'lrr'", "Did you mean 'lr'?"],
    ),
    "where that orders text and number": (
        block('model = "linear"', 'where = "model < 3"'),
        ["have no order"],
    ),
    "where that removes all": (
        block('model = ["linear", "mlp"]', 'where = "seed > 5"'),
        ["leaves none of its 2 trials"],
    ),
    "vary without an axis": (
        block('model = "linear"', "vary = { lr = [0.1] }"),
        ["grid[0].vary", "'lr' is no axis.parameter"],
    ),
    "vary of no value": (
        block('model = "linear"', 'vary = { "trainer.lr" = [] }'),
        ["grid[0].vary.trainer.lr", "give at least one"],
    ),
    "vary of a bad value": (
        block('model = "linear"', 'trainer = "adam"', 'vary = { "trainer.lr" = [0.1, -1] }'),
        ["grid[0].trainer", "lr", "number > 0"],
    ),
    "vary of a bad value of a default": (
        block('model = "linear"', 'vary = { "trainer.lr" = [0.1, -1] }'),
        ["grid[0].vary", "lr", "number > 0"],
    ),
    "vary of what is given": (
        block('model = "linear"', 'trainer = "adam[lr=1.0]"', 'vary = { "trainer.lr" = [0.1] }'),
        ["'trainer.lr' is varied and also given"],
    ),
    "vary of an absent axis": (
        block('model = "linear"', 'vary = { "solver.memory" = [1, 2] }'),
        ["varies 'solver.memory' but has no solver"],
    ),
    "a component twice in a list": (
        block('model = "linear"', 'trainer = ["adam", "gd", "adam"]'),
        ["It repeats 'digits | linear | adam' of itself"],
    ),
    "two spellings of one entry": (
        BASE + EXPLICIT + EXPLICIT + 'trainer = "adam[lr=0.01]"\n',
        ["line 8, grid[1]", "It repeats", "of grid[0]"],
    ),
    "too many trials": (
        block(
            'model = "linear"',
            f'vary = {{ "model.width" = {list(range(1, 401))}, "trainer.lr" = {list(range(1, 401))} }}',
        ),
        ["160,000 trials"],
    ),
}
"""What is wrong -> (the file, fragments of its one mistake)."""
