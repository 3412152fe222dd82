from __future__ import annotations

from itertools import pairwise

import pytest

PAGES = ["solvers_page", "training_page"]


@pytest.fixture(scope="module")
def axe():
    """The rules of axe-core, as the test extra ships them."""
    return pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed."
    ).Axe()


def faults(axe, page):
    """What axe finds, of whatever gravity: the rule, how grave it is, and where."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    found = axe.run(page).response["violations"]
    return [(one["id"], one["impact"], [node["target"] for node in one["nodes"]][:3]) for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", PAGES)
def test_axe_finds_no_fault(opened, axe, which, scheme, request):
    page = opened(request.getfixturevalue(which), color_scheme=scheme, bypass_csp=True)
    assert faults(axe, page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_where_entries_are_hidden(opened, axe, solvers_page, scheme):
    page = opened(solvers_page, "only.solver=picard", color_scheme=scheme, bypass_csp=True)
    assert page.locator("#chosen").is_visible()
    assert faults(axe, page) == []


@pytest.mark.parametrize("which", PAGES)
def test_headings_descend_one_level_at_a_time(opened, which, request):
    page = opened(request.getfixturevalue(which))
    levels = [int(one.evaluate("node => node.tagName[1]")) for one in page.locator("h1, h2, h3, h4").all()]
    assert levels[0] == levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("which", PAGES)
def test_every_drawing_is_named_and_has_its_numbers_behind_it(opened, which, request):
    page = opened(request.getfixturevalue(which))
    for figure in page.locator("figure").all():
        drawing = figure.locator("svg.drawn")
        assert drawing.get_attribute("role") == "img"
        named = drawing.get_attribute("aria-labelledby").split()
        assert all(page.locator(f"#{name}").text_content() for name in named)
        assert figure.locator(".behind table tbody tr").count() > 0


@pytest.mark.parametrize("which", PAGES)
def test_every_table_has_a_caption_and_scoped_titles(opened, which, request):
    page = opened(request.getfixturevalue(which))
    for table in page.locator("table").all():
        assert table.locator("caption").text_content()
    assert page.locator("thead th:not([scope=col])").count() == 0
    assert page.locator("tbody tr th:not([scope=row])").count() == 0


def test_the_first_stop_of_the_keyboard_skips_to_the_results(opened, training_page):
    page = opened(training_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_what_has_the_focus_is_outlined(opened, training_page):
    page = opened(training_page)
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
