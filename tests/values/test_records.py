import json

import pytest
from test_trials import trial

from deqbench.errors import StoreError
from deqbench.records import SCHEMA_VERSION, CurvePoint, Record, Status


def record(status=Status.OK, **changes):
    values = {
        "trial": trial(),
        "status": status,
        "metrics": {"test_accuracy": 0.5, "train_loss": None},
        "costs": {"train_seconds": 1.5},
        "curves": [
            CurvePoint(0, 0.0, 0.0, "train_loss", 1.0),
            CurvePoint(1, 0.5, 0.1, "train_loss", None),
        ],
        "host": {"pid": 1},
    }
    return Record(**(values | changes))


def test_a_record_survives_json_text():
    first = record(Status.DIVERGED, reason="loss is nan", detail="step 3")
    assert Record.from_json(json.loads(json.dumps(first.to_json(), allow_nan=False))) == first


def test_a_record_of_another_schema_is_refused():
    value = record().to_json() | {"schema": SCHEMA_VERSION + 1}
    with pytest.raises(StoreError, match="--fresh"):
        Record.from_json(value)


def test_every_status_is_explained():
    assert all(status.sentence for status in Status)
