from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from deqbench.discovery.parameters import construct, parameters_of
from deqbench.errors import ConfigurationError, PluginError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Everything:
    lr: Annotated[float, Field(gt=0, description="Step length.")]
    steps: Annotated[int, Field(ge=1, le=9, description="Steps.")] = 5
    scale: float | None = None
    name_of: str = "x"
    flag: bool = False
    kind: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    widths: tuple[int, ...] = (1, 2)
    implicit: ClassVar[bool] = True

    def __post_init__(self):
        if self.flag and self.scale is None:
            raise ValueError("flag needs scale; give scale=1.0")


def made(**given):
    return construct(Everything, given, "trainer 'all'", lambda kind, ref: (None, {}))


def mistakes(**given):
    with pytest.raises(ConfigurationError) as caught:
        made(**given)
    return caught.value.mistakes


def test_parameters_are_told_in_words():
    told = {one.name: (one.type, one.required, one.default) for one in parameters_of(Everything)}
    assert told == {
        "lr": ("number > 0", True, None),
        "steps": ("integer >= 1, <= 9", False, 5),
        "scale": ("number or nothing", False, None),
        "name_of": ("text", False, "x"),
        "flag": ("true or false", False, False),
        "kind": ("one of a, b", False, "a"),
        "colour": ("one of red, blue", False, Colour.RED),
        "widths": ("list of integer", False, (1, 2)),
    }
    assert parameters_of(Everything)[0].description == "Step length."


def test_values_as_toml_gives_them_become_the_fields_types():
    component, described = made(lr=1, widths=[3], colour="blue", kind="b")
    assert component == Everything(1.0, widths=(3,), colour=Colour.BLUE, kind="b")
    assert described["widths"] == [3]
    assert described["colour"] == "blue"
    assert described["steps"] == 5


def test_an_integer_and_the_float_it_serves_are_recorded_alike():
    assert repr(made(lr=1)[1]) == repr(made(lr=1.0)[1])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"steps": "5"}, "'steps' of trainer 'all' is \"5\", but must be integer >= 1, <= 9."),
        ({"steps": 5.5}, "is 5.5"),
        ({"steps": True}, "is true"),
        ({"steps": 0}, "is 0"),
        ({"scale": True}, "is true, but must be number or nothing."),
        ({"scale": float("nan")}, "is NaN, but must be number"),
        ({"flag": 1}, "is 1, but must be true or false."),
        ({"kind": "c"}, 'is "c", but must be one of a, b.'),
        ({"widths": 3}, "is 3, but must be list of integer."),
        ({"name_of": 3}, "is 3, but must be text."),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(given, told):
    (mistake,) = mistakes(lr=1.0, **given)
    assert told in mistake


def test_all_mistakes_come_at_once():
    assert mistakes(step=3, kind="c") == (
        (
            "The trainer 'all' has no parameter 'step'. Did you mean 'steps'? "
            "It has: lr, steps, scale, name_of, flag, kind, colour, widths."
        ),
        "The trainer 'all' needs 'lr' (number > 0); give lr=...",
        "'kind' of trainer 'all' is \"c\", but must be one of a, b.",
    )


def test_a_components_own_check_of_several_fields_is_heard():
    assert mistakes(lr=1.0, flag=True) == (
        "The trainer 'all' cannot be made: flag needs scale; give scale=1.0",
    )


def test_a_bound_field_is_no_parameter():
    partial = functools.partial(Everything, lr=0.5)
    assert "lr" not in [one.name for one in parameters_of(partial)]
    component, _ = construct(partial, {"steps": 2}, "trainer 'all'", lambda kind, ref: (None, {}))
    assert (component.lr, component.steps) == (0.5, 2)


def test_a_plain_class_has_no_parameters():
    class Plain:
        pass

    assert parameters_of(Plain) == ()
    assert isinstance(construct(Plain, {}, "solver 'plain'", lambda kind, ref: (None, {}))[0], Plain)


def test_a_constructor_with_arguments_of_its_own_is_the_plugins_mistake():
    class Own:
        def __init__(self, width): ...

    with pytest.raises(PluginError, match="Make it a frozen dataclass"):
        construct(Own, {}, "model 'own'", lambda kind, ref: (None, {}))


def test_the_name_name_is_reserved():
    reserved = dataclasses.make_dataclass("Reserved", [("name", str, "x")], frozen=True)
    with pytest.raises(PluginError, match="called 'name'"):
        parameters_of(reserved)


def test_a_type_that_cannot_be_read_is_the_plugins_mistake():
    @dataclass(frozen=True)
    class Unreadable:
        width: NoSuchType = 3  # noqa: F821  the point of the test

    with pytest.raises(PluginError, match="NoSuchType"):
        parameters_of(Unreadable)


def test_a_mutable_default_is_made_anew():
    @dataclass(frozen=True)
    class Listed:
        widths: Any = dataclasses.field(default_factory=lambda: [1])

    assert parameters_of(Listed)[0].default == [1]
