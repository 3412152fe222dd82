import pytest

from deqbench.discovery.digests import source_digest, source_digests


@pytest.fixture
def project(write, tmp_path, monkeypatch):
    """A package on the import path: component -> helper -> deep, with an unused module beside them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    write("digest_project/__init__.py", "VERSION = 1\n\ndef deqbench_solvers():\n    return []\n")
    write(
        "digest_project/component.py", "from digest_project.helper import step\nimport math\nimport torch\n"
    )
    write("digest_project/helper.py", "from .deep import depth\nfrom . import sibling\n")
    write("digest_project/deep/__init__.py", "from .core import depth\n")
    write("digest_project/deep/core.py", "depth = 1\n")
    write("digest_project/sibling.py", "")
    write("digest_project/unused.py", "")
    return tmp_path / "digest_project"


def test_local_imports_are_followed_and_others_are_not(project):
    assert list(source_digests("digest_project.component")) == [
        "digest_project",
        "digest_project.component",
        "digest_project.deep",
        "digest_project.deep.core",
        "digest_project.helper",
        "digest_project.sibling",
    ]


@pytest.mark.parametrize("name", ["component.py", "helper.py", "deep/core.py", "sibling.py"])
def test_editing_any_of_them_changes_the_digest(project, name):
    before = source_digest("digest_project.component")
    with (project / name).open("a") as file:
        file.write("extra = 1\n")
    assert source_digest("digest_project.component") != before


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (("return []", "return [1]"), False),
        (("VERSION = 1", "VERSION = 2"), True),
    ],
    ids=["what is offered", "what is computed"],
)
def test_a_parent_package_counts_except_for_its_hooks(project, edit, changes):
    before = source_digest("digest_project.component")
    path = project / "__init__.py"
    path.write_text(path.read_text().replace(*edit))
    assert (source_digest("digest_project.component") != before) is changes


def test_an_unrelated_edit_does_not_change_the_digest(project):
    before = source_digest("digest_project.component")
    (project / "unused.py").write_text("extra = 1\n")
    assert source_digest("digest_project.component") == before


def test_line_endings_do_not_count(project):
    before = source_digest("digest_project.component")
    path = project / "helper.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert source_digest("digest_project.component") == before


def test_nothing_is_imported_to_be_digested(project):
    import sys

    (project / "component.py").write_text("from digest_project.explosive import x\n")
    (project / "explosive.py").write_text("raise RuntimeError\n")
    assert "digest_project.explosive" in source_digests("digest_project.component")
    assert not [name for name in sys.modules if name.startswith("digest_project")]


@pytest.mark.parametrize(
    "source",
    [
        "import neighbour_of_test\n",
        "import neighbour_of_test as other\n",
        "from neighbour_of_test import x\n",
        "def late():\n    import neighbour_of_test\n",
        "try:\n    from neighbour_of_test import *\nexcept ImportError:\n    pass\n",
    ],
)
def test_a_bare_file_rests_on_the_modules_beside_it(write, source):
    write("neighbour_of_test.py", "x = 1\n")
    assert list(source_digests(write("bare.py", source))) == ["bare", "neighbour_of_test"]


def test_imports_for_type_checkers_alone_do_not_count(write):
    write("neighbour_of_test.py", "x = 1\n")
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import neighbour_of_test\n"
    assert list(source_digests(write("bare.py", source))) == ["bare"]


def test_modules_that_import_each_other_are_followed_once(write):
    write("neighbour_of_test.py", "import bare_of_test\n")
    path = write("bare_of_test.py", "import neighbour_of_test\n")
    assert {"bare_of_test", "neighbour_of_test"} == set(source_digests(path))


def test_in_site_packages_only_the_own_package_is_local(write, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    write("site-packages/installed_one/__init__.py", "import installed_two\nfrom . import inner\n")
    write("site-packages/installed_one/inner.py", "")
    write("site-packages/installed_two.py", "")
    assert list(source_digests("installed_one")) == ["installed_one", "installed_one.inner"]
    assert "installed_two" in source_digests("installed_one", roots=["installed_two"])


def test_the_digest_does_not_depend_on_where_the_file_lies(write):
    assert source_digest(write("one/bare.py", "x = 1\n")) == source_digest(write("two/bare.py", "x = 1\n"))


def test_a_module_that_is_nowhere_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        source_digest("no_such_module_anywhere.inner")


def test_the_core_is_digested_without_other_distributions():
    found = source_digests("deqbench.discovery.registry")
    assert {"deqbench.discovery.registry", "deqbench.discovery.digests", "deqbench.trials"} <= set(found)
    assert all(name.partition(".")[0] == "deqbench" for name in found)
