from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET

import pytest

RANKED = "#verdict-0"


def column(page, table, place):
    """The cells of a column, as they are read."""
    rows = page.locator(f"{table} tbody tr").all()
    return [row.locator("th, td").nth(place).inner_text().strip() for row in rows]


def title(page, table, name):
    return page.locator(f"{table} thead th").filter(has_text=name).first


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_a_click_on_a_title_sorts_down_and_back(opened, training_page):
    page = opened(training_page)
    seconds = column(page, RANKED, 4)
    head = title(page, RANKED, "train s")
    head.get_by_role("button").click()
    assert column(page, RANKED, 4) == sorted(seconds, key=float)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert column(page, RANKED, 4) == sorted(seconds, key=float, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert column(page, RANKED, 4) == seconds
    assert head.get_attribute("aria-sort") is None


def test_enter_on_a_title_sorts_and_is_told_to_a_screen_reader(opened, training_page):
    page = opened(training_page)
    title(page, RANKED, "entry").get_by_role("button").focus()
    page.keyboard.press("Enter")
    entries = column(page, RANKED, 0)
    assert entries == sorted(entries)
    assert page.locator("#said").inner_text() == "Sorted by entry, ascending."


def test_what_is_missing_stands_last_both_ways(opened, solvers_page):
    page = opened(solvers_page)
    table = "#entries-1"
    page.evaluate("document.querySelector('#entries-1').closest('details').open = true")
    for _ in range(2):
        title(page, table, "median").get_by_role("button").click()
        assert column(page, table, 1)[-1] == "failed"


def test_trials_are_filtered_by_component_seed_and_status(opened, solvers_page):
    page = opened(solvers_page)
    count = page.locator("#trials-shown")
    assert count.inner_text().startswith("18 of 18 trials")
    page.get_by_label("solver", exact=True).select_option("anderson[memory=5]")
    assert set(column(page, "#trials-table", 1)) == {"anderson[memory=5]"}
    assert count.inner_text().startswith("6 of 18 trials")
    page.get_by_label("seed", exact=True).select_option("1")
    assert count.inner_text().startswith("3 of 18 trials")
    page.get_by_label("solver", exact=True).select_option("")
    page.get_by_label("status", exact=True).select_option("error")
    assert column(page, "#trials-table", 3) == ["error"]
    assert column(page, "#trials-table", 0) == ["tanh[norm=0.9]"]


CHOSEN = "Shown: solver picard (1 of 3 entries)."


def drawn(page, figure):
    """The words of a figure that are seen, and how many of its coloured lines and markers are."""
    texts = page.locator(f"#figure-{figure} svg text").all()
    things = page.locator(f"#figure-{figure} svg [data-e]").all()
    words = [one.text_content() for one in texts if one.is_visible()]
    return words, sum(one.evaluate("node => getComputedStyle(node).display") != "none" for one in things)


def test_a_component_is_chosen_for_the_whole_page(opened, solvers_page):
    page = opened(solvers_page)
    words, things = drawn(page, "data-profile")
    assert {"picard", "newton", "anderson"} <= set(words)
    assert not page.locator("#chosen").is_visible()
    page.get_by_label("solver", exact=True).select_option("picard")
    for table in ("#overall", "#entries-0"):
        assert page.locator(f"{table} tbody tr").count() == 3
        assert page.locator(f"{table} tbody tr:visible th").all_inner_texts() == ["picard"]
    kept, few = drawn(page, "data-profile")
    assert "picard" in kept
    assert not {"newton", "anderson"} & set(kept)
    assert 0 < few == things / 3
    assert "map-equivalents" in kept  # what is said of all entries stays
    assert set(column(page, "#trials-table", 1)) == {"picard"}
    assert page.locator("#chosen b").inner_text() == CHOSEN
    assert page.locator("#said").inner_text() == CHOSEN
    assert "only.solver=picard" in page.url


def test_a_chosen_component_stays_when_the_page_is_loaded_again(opened, solvers_page):
    page = opened(solvers_page)
    page.get_by_label("solver", exact=True).select_option("picard")
    page.reload()
    assert page.get_by_label("solver", exact=True).input_value() == "picard"
    assert page.locator("#overall tbody tr:visible th").all_inner_texts() == ["picard"]
    assert page.locator("#chosen b").inner_text() == CHOSEN


@pytest.mark.parametrize("name", ["Reset", "Show all"])
def test_all_entries_are_shown_again(opened, solvers_page, name):
    page = opened(solvers_page, "only.solver=picard")
    before = drawn(page, "residual-work")[1]
    page.get_by_role("button", name=name).click()
    assert page.locator("#overall tbody tr:visible").count() == 3
    assert drawn(page, "residual-work")[1] > before
    assert page.locator("#trials-shown").inner_text().startswith("18 of 18 trials")
    assert not page.locator("#chosen").is_visible()
    assert "#" not in page.url
    assert page.locator("[data-out]").count() == 0


def test_the_keyboard_shows_all_entries_again_and_keeps_its_place(opened, solvers_page):
    page = opened(solvers_page, "only.solver=picard")
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "only-solver"
    assert page.locator("#said").inner_text() == "All entries are shown."


def test_chosen_entries_are_ranked_and_sorted_as_all_were(opened, training_page):
    page = opened(training_page, "only.trainer=gd[lr=0.5]")
    shown = f"{RANKED} tbody tr:visible th"
    assert page.locator(shown).all_inner_texts() == ["mlp/gd"]
    page.get_by_label("Axis", exact=True).select_option("seconds")
    assert page.locator(shown).all_inner_texts() == ["mlp/gd"]
    assert page.locator(f"{RANKED} tbody tr:visible b").inner_text() == "0.210"
    title(page, RANKED, "entry").get_by_role("button").click()
    assert page.locator(shown).all_inner_texts() == ["mlp/gd"]
    page.get_by_label("trainer", exact=True).select_option("")
    assert column(page, RANKED, 0) == ["mlp/adam", "mlp/gd", "mlp/lbfgs"]


def test_a_choice_that_no_entry_meets_is_told(opened, models_page):
    page = opened(models_page, "only.model=mlp&only.solver=picard")
    assert page.locator("#chosen b").inner_text() == "None of the 3 entries has model mlp, solver picard."
    assert page.locator(f"{RANKED} tbody tr:visible").count() == 0
    page.get_by_label("solver", exact=True).select_option("-")
    assert page.locator("#said").inner_text() == "Shown: model mlp, no solver (1 of 3 entries)."
    assert page.locator(f"{RANKED} tbody tr:visible").count() == 1


def test_a_component_of_another_report_hides_nothing(opened, solvers_page):
    page = opened(solvers_page, "only.solver=nobody&only.status=nobody")
    assert page.locator("#overall tbody tr:visible").count() == 3
    assert page.locator("#trials-shown").inner_text().startswith("18 of 18 trials")
    assert page.get_by_label("solver", exact=True).input_value() == ""
    assert not page.locator("#chosen").is_visible()


def test_a_copied_figure_holds_what_is_shown_and_says_so(opened, solvers_page):
    page = opened(solvers_page, "only.solver=newton", permissions=["clipboard-read", "clipboard-write"])
    page.locator("#figure-data-profile").get_by_role("button", name="Copy SVG").click()
    page.wait_for_function("document.querySelector('#said').textContent === 'Copied as SVG.'")
    root = ET.fromstring(page.evaluate("navigator.clipboard.readText()").encode())
    assert {"newton", "picard", "anderson"} & {one.text for one in root.iter()} == {"newton"}
    described = next(one.text for one in root.iter() if one.tag.endswith("}desc"))
    assert described.endswith("Shown: solver newton (1 of 3 entries).")
    ids = {one.get("id") for one in root.iter()}
    used = {one.get("href") for one in root.iter() if one.tag.endswith("}use")}
    assert used
    assert {one.removeprefix("#") for one in used} <= ids  # a marker that others share is still defined
    assert not any("data-e" in one.attrib or "data-out" in one.attrib for one in root.iter())


def test_print_shows_all_entries_whichever_are_chosen(opened, solvers_page):
    page = opened(solvers_page, "only.solver=picard")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#overall tbody tr:visible").count() == 3
    assert page.locator("#trials-shown").inner_text().startswith("18 of 18 trials")
    assert not page.locator("#chosen").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#overall tbody tr:visible").count() == 1
    assert page.locator("#trials-shown").inner_text().startswith("6 of 18 trials")


def test_trials_are_found_by_words(opened, solvers_page):
    page = opened(solvers_page)
    page.get_by_label("find").fill("TANH")
    assert set(column(page, "#trials-table", 0)) == {"tanh[norm=0.9]"}


def test_the_axis_ranks_writes_and_draws_the_standings(opened, training_page):
    page = opened(training_page)
    places = f"{RANKED} .track circle"
    assert column(page, RANKED, 0) == ["mlp/adam", "mlp/lbfgs", "mlp/gd"]
    before = [one.get_attribute("cx") for one in page.locator(places).all()]
    page.get_by_label("Axis", exact=True).select_option("seconds")
    assert column(page, RANKED, 0) == ["mlp/gd", "mlp/lbfgs", "mlp/adam"]
    assert column(page, RANKED, 1) == column(page, RANKED, 4)
    after = [one.get_attribute("cx") for one in page.locator(places).all()]
    assert after != before
    assert after == sorted(after, key=lambda place: float(place.rstrip("%")))
    assert "train s" in page.locator(f"{RANKED} caption").inner_text()


def test_the_axis_chooses_the_variant_of_a_figure(opened, solvers_page):
    page = opened(solvers_page)
    figures = {
        axis: page.locator(f'[data-family="residual"] [data-axis="{axis}"]')
        for axis in ("calls", "work", "seconds")
    }
    assert figures["work"].is_visible()  # what ranks the report
    assert not figures["seconds"].is_visible()
    page.get_by_label("Axis", exact=True).select_option("seconds")
    assert figures["seconds"].is_visible()
    assert not figures["work"].is_visible()
    page.locator('[data-family="residual"]').get_by_role("button", name="map calls").click()
    assert figures["calls"].is_visible()


def test_a_logarithmic_scale_moves_the_dots_and_says_so(opened, training_page):
    page = opened(training_page, "axis=parameters")
    dots = page.locator(f"{RANKED} .track circle")
    places = [one.get_attribute("cx") for one in dots.all()]
    page.get_by_label("Scale").select_option("log")
    assert "logarithmic" in page.locator(f"{RANKED} caption").inner_text()
    page.get_by_label("Scale").select_option("linear")
    assert "logarithmic" not in page.locator(f"{RANKED} caption").inner_text()
    assert [one.get_attribute("cx") for one in dots.all()] == places


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_follows_the_system_until_one_is_chosen(opened, training_page, system):
    page = opened(training_page, color_scheme=system)
    colours = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 27)"}
    assert background(page) == colours[system]
    other = {"light": "dark", "dark": "light"}[system]
    page.get_by_label("Theme").select_option(other)
    assert background(page) == colours[other]
    assert f"theme={other}" in page.url


def test_what_was_chosen_is_restored_from_the_address(opened, training_page):
    first = opened(training_page)
    first.get_by_label("Axis", exact=True).select_option("seconds")
    first.get_by_label("Theme").select_option("dark")
    first.get_by_label("trainer", exact=True).select_option("gd[lr=0.5]")
    title(first, "#entries-0", "parameters").get_by_role("button").click()
    address = first.url.partition("#")[2]
    again = opened(training_page, address)
    assert background(again) == "rgb(18, 22, 27)"
    assert again.get_by_label("Axis", exact=True).input_value() == "seconds"
    assert column(again, RANKED, 0) == column(first, RANKED, 0) == ["mlp/gd", "mlp/lbfgs", "mlp/adam"]
    assert again.locator("#trials-shown").inner_text().startswith("2 of 6 trials")
    assert title(again, "#entries-0", "parameters").get_attribute("aria-sort") == "ascending"


def test_reset_shows_everything_as_at_first(opened, training_page):
    page = opened(training_page, "axis=seconds&theme=dark&only.seed=1&sort.verdict-0=0:down")
    page.get_by_role("button", name="Reset").click()
    assert column(page, RANKED, 0) == ["mlp/adam", "mlp/lbfgs", "mlp/gd"]
    assert page.locator("#trials-shown").inner_text().startswith("6 of 6 trials")
    assert "#" not in page.url


def test_an_address_from_another_report_does_no_harm(opened, training_page):
    page = opened(training_page, "axis=nonsense&sort.verdict-0=99:up&sort.none=1:up&only.solver=x&theme=pink")
    assert column(page, RANKED, 0) == ["mlp/adam", "mlp/lbfgs", "mlp/gd"]
    assert page.get_by_label("Axis", exact=True).input_value() == "score"


def test_a_link_to_a_section_keeps_what_was_chosen(opened, training_page):
    page = opened(training_page, "axis=seconds")
    page.get_by_role("navigation").get_by_role("link", name="Environment").click()
    assert "axis=seconds" in page.url
    assert page.evaluate("document.activeElement.id") == "environment"


def test_a_figure_is_copied_as_an_svg_that_stands_alone(opened, solvers_page):
    page = opened(solvers_page, color_scheme="dark", permissions=["clipboard-read", "clipboard-write"])
    page.locator("#figure-data-profile").get_by_role("button", name="Copy SVG").click()
    page.wait_for_function("document.querySelector('#said').textContent === 'Copied as SVG.'")
    text = page.evaluate("navigator.clipboard.readText()")
    assert ET.fromstring(text.encode()).tag == "{http://www.w3.org/2000/svg}svg"
    assert "rgb(255, 255, 255)" in text  # on white, whatever the page's theme
    assert "var(" not in text
    assert "class=" not in text
    assert 'fill="rgb(0, 0, 0)"' not in text  # markers keep the colour of their curve


def test_the_numbers_of_a_figure_are_copied_as_csv(opened, solvers_page):
    page = opened(solvers_page, permissions=["clipboard-read", "clipboard-write"])
    page.locator("#figure-work").get_by_role("button", name="Copy CSV").click()
    page.wait_for_function("document.querySelector('#said').textContent === 'Copied as CSV.'")
    rows = list(csv.reader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
    assert rows[0] == ["entry", "affine[gamma=0.5]", "affine[gamma=0.9]", "tanh[norm=0.9]"]
    assert ["picard", "20.5", "missed", "60.5"] in rows


def test_where_the_clipboard_is_refused_the_figure_is_saved(opened, solvers_page):
    page = opened(solvers_page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    with page.expect_download() as download:
        page.locator("#figure-data-profile").get_by_role("button", name="Copy CSV").click()
    assert download.value.suggested_filename == "data-profile.csv"


@pytest.mark.parametrize("width", [360, 768])
@pytest.mark.parametrize("which", ["solvers_page", "training_page"])
def test_a_narrow_window_scrolls_tables_but_never_the_page(opened, which, width, request):
    page = opened(request.getfixturevalue(which), viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_is_light_without_controls_and_with_everything_unfolded(opened, solvers_page):
    page = opened(solvers_page, "theme=dark", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert background(page) == "rgb(255, 255, 255)"
    assert not page.get_by_label("Axis", exact=True).is_visible()
    assert page.locator("#misses").is_visible()
    assert not page.locator(".behind").first.is_visible()


def test_without_scripts_everything_is_there_but_the_controls(opened, solvers_page):
    page = opened(solvers_page, java_script_enabled=False)
    assert page.locator('[data-family="residual"] svg.drawn').count() == 3
    assert all(one.is_visible() for one in page.locator('[data-family="residual"] figure').all())
    assert page.locator("#trials-table tbody tr").count() == 18
    assert page.locator("#overall tbody tr:visible").count() == 3
    assert not page.get_by_label("Theme").is_visible()
    assert page.get_by_role("button").count() == 0


def test_text_of_a_run_is_text_in_the_page(opened, solvers_page):
    page = opened(solvers_page)
    assert page.locator("h1").inner_text() == "A run of <maps>"
    assert page.get_by_text("RuntimeError: <i>boom</i>.").is_visible()


def test_motion_is_reduced_for_who_asks_for_it(opened, training_page):
    page = opened(training_page, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_on_paper_cases_that_hold_stay_folded_and_everything_else_opens(opened, training_page):
    page = opened(training_page)
    page.evaluate(
        """() => document.body.insertAdjacentHTML("beforeend",
        "<details class=brief><p>brief</p></details>"
        + "<details class=behind></details><details id=plain></details>")"""
    )
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('.brief[open], .behind[open]').length") == 0
    assert page.evaluate("document.querySelectorAll('details:not([open], .brief, .behind)').length") == 0
    assert page.evaluate("document.getElementById('plain').open")
    assert not page.get_by_text("brief", exact=True).is_visible()
