from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deqbench.cli import deqbench
from deqbench.cli import main as command
from deqbench.comparing.document import Document
from deqbench.comparing.opening import distinct_names

SCHEMA = Path(__file__).parents[2] / "docs" / "compare.schema.json"


@pytest.fixture
def compare(made, capsys):
    """Return the exit code, standard output and standard error of ``deqbench compare``."""

    def run(*options, **facts):
        with pytest.raises(SystemExit) as ended:
            command(["compare", str(made("a")), str(made("b", **facts)), *options])
        return ended.value.code, *capsys.readouterr()

    return run


def worse(entry, dataset, seed):
    return -0.05


def test_a_run_beside_itself_exits_0(compare):
    code, out, _ = compare()
    assert code == 0
    assert "is equivalent to" in out


def test_a_regressed_copy_exits_3(compare):
    code, out, _ = compare(score=worse)
    assert code == 3
    assert "regressed beside" in out
    assert "8 can" in out


def test_other_data_exit_7_with_one_sentence(compare):
    code, out, error = compare(data="d2")
    assert (code, out) == (7, "")
    assert "the data of 'digits' differ" in error
    assert "Traceback" not in error


def test_strict_exits_4_where_nothing_can_be_told(made, capsys):
    first, second = made("a", fails=(("mlp", "wine", 1),)), made("b")
    for options, code in (([], 0), (["--strict"], 4)):
        with pytest.raises(SystemExit) as ended:
            command(["compare", str(first), str(second), *options])
        assert ended.value.code == code
    assert "1 mended" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rope", "wide"], "'wide' is no ROPE"),
        (["--rope", "-1%"], "at least 0"),
        (["--metric", "accuracy"], "Did you mean 'test_accuracy'"),
    ],
)
def test_bad_options_exit_2_with_one_sentence(compare, options, said):
    code, out, error = compare(*options)
    assert (code, out) == (2, "")
    assert said in error


def test_a_folder_without_a_run_exits_2(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        command(["compare", str(tmp_path), str(tmp_path)])
    assert ended.value.code == 2
    assert "No run lies in" in capsys.readouterr().err


def test_the_table_fits_100_columns(compare):
    _, out, _ = compare("--metric", "train_seconds", "--metric", "test_accuracy", score=worse, slower=1.5)
    assert max(map(len, out.splitlines())) <= 100


def test_runs_are_called_by_as_much_of_their_paths_as_tells_them_apart(tmp_path):
    one, two, three = (tmp_path / words for words in ("x/quickstart", "y/quickstart", "solvers"))
    assert distinct_names([one, three]) == ["quickstart", "solvers"]
    assert distinct_names([one, two]) == ["x/quickstart", "y/quickstart"]
    assert distinct_names([one, one]) == ["quickstart", "quickstart (2)"]


def test_json_is_one_document_of_the_published_schema(compare):
    code, out, _ = compare("--json", score=worse)
    found = Document.model_validate_json(out)
    assert (found.exit_code, found.verdict) == (code, "regressed")
    assert len(found.groups) == 6
    assert found.overall[0].kind == "ratio"


def test_the_published_schema_is_that_of_the_document():
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == Document.model_json_schema()


def test_the_help_names_every_exit_code():
    said = CliRunner().invoke(deqbench, ["compare", "--help"]).output
    for code in ("0 nothing", "2 a mistake", "3 something", "4 inconclusive", "7 the runs"):
        assert code in " ".join(said.split())
