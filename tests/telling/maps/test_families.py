from __future__ import annotations

from deqbench.telling.families import families


def test_maps_are_grouped_by_family_in_the_order_of_the_suite():
    found = families(["tanh[norm=0.9]", "affine[gamma=0.5]", "tanh[norm=0.99]", "tanh[norm=0.9]"])
    assert [(one.name, one.maps) for one in found] == [
        ("tanh", ("tanh[norm=0.9]", "tanh[norm=0.99]")),
        ("affine", ("affine[gamma=0.5]",)),
    ]


def test_difficulty_is_what_varies_within_the_family():
    (family,) = families(["affine[gamma=0.5,batch=64]", "affine[gamma=0.999,batch=64]"])
    assert family.varied == "gamma"
    assert [member.difficulty for member in family.members] == ["0.5", "0.999"]


def test_an_only_map_has_no_difficulty():
    (family,) = families(["monotone[m=0.1]"])
    assert (family.varied, family.members[0].difficulty) == ("", "")


def test_a_value_that_was_left_out_is_the_default():
    (family,) = families(["affine", "affine[gamma=0.99]"])
    assert [member.difficulty for member in family.members] == ["default", "0.99"]


def test_several_parameters_are_told_together():
    (family,) = families(["trained[model=deq-mlp[width=8],epochs=1]", "trained[model=deq-linear,epochs=2]"])
    assert family.varied == "model, epochs"
    assert family.members[0].difficulty == "deq-mlp[width=8], 1"
