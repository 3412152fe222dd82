import inspect

from deqbench import errors
from deqbench.errors import ConfigurationError, DeqbenchError, did_you_mean


def test_every_error_stands_in_the_tree_of_the_module_docstring():
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]
    assert all(issubclass(c, DeqbenchError) for c in classes)
    assert all(c.__name__ in (errors.__doc__ or "") for c in classes)


def test_several_mistakes_are_told_at_once_with_their_place():
    message = str(ConfigurationError(["first.", "second."], where="my.toml"))
    assert message.splitlines() == ["my.toml: 2 mistakes.", "  - first.", "  - second."]


def test_one_mistake_without_a_place_is_one_sentence():
    assert str(ConfigurationError("wrong.")) == "wrong."


def test_the_nearest_name_is_offered_and_nothing_far():
    assert did_you_mean("andersen", ["anderson", "picard"]) == " Did you mean 'anderson'?"
    assert did_you_mean("xyz", ["anderson"]) == ""
