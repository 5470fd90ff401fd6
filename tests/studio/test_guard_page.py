"""The guard page in a real browser: what was kept, marks, rules drawn on the picture, a film tried."""

import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import szem
from szem.guard.event_store import EventStore
from szem.studio import studio_folder
from szem.tasks.surveillance.rules_toml import parse_rules, read_rules

from .conftest import KEY
from .guard_scenes import BOX, make_covered_video
from .seeing import PATIENCE_S, in_address, set_slider, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
VIDEO = "document.querySelector('[data-name=film-video]')"
CARDS = "[data-name=events] .ev-card"
TEXT = "[data-name=rules-text]"
READ = "Number(document.querySelector('.rules').dataset.read ?? 0)"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture
def no_rules(studio_guard: Path) -> Iterator[Path]:
    """The rules file, which is not there yet, and is not after the test."""
    file = studio_guard / "guard.toml"
    file.unlink(missing_ok=True)
    yield file
    file.unlink(missing_ok=True)


def kinds(page: Any) -> list[str]:
    return page.locator(f"{CARDS} h3").all_inner_texts()


def wait_cards(page: Any, count: int) -> None:
    until(page, f"document.querySelectorAll('{CARDS}').length === {count}")


def write(page: Any, text: str) -> None:
    """Put rules into the sheet and wait until the server has read them; those that were there have been read before."""
    until(page, f"{READ} > 0")
    before = page.evaluate(READ)
    page.fill(TEXT, text)
    until(page, f"{READ} > {before}")


def test_what_was_kept_is_shown_filtered_and_played(visit: Visit, kept_events: list[str]) -> None:
    page = visit("guard", fresh=True, film="none")
    wait_cards(page, 5)
    assert kinds(page) == ["Enters", "Crosses a line", "Removed object", "Enters", "Gunshot"]  # the newest first
    assert page.locator(".guard-source").all_inner_texts()[0].split("\n")[:2] == ["gate", "lost, being reopened"]
    joint = page.locator(CARDS).nth(2)
    assert [one.split("\n")[1] for one in joint.locator(".ev-channel").all_inner_texts()] == ["55%", "79%"]
    assert "25% of the decision" in joint.locator("[data-channel=sound]").get_attribute("title")
    assert page.locator("[data-name=strip] .strip-bar").count() == 5

    frame, box = (page.locator(f"{CARDS} >> nth=0 >> {part}").bounding_box() for part in (".ev-frame", ".ev-box"))
    assert (box["x"] - frame["x"]) / frame["width"] == pytest.approx(BOX[0] / 640, abs=0.02)
    assert box["height"] / frame["height"] == pytest.approx((BOX[3] - BOX[1]) / 360, abs=0.03)
    page.locator("[data-name=play-clip]").first.click()
    until(page, "document.querySelector('[data-name=clip]').currentTime > 0.2")
    assert page.evaluate("document.querySelector('[data-name=clip]').duration") == pytest.approx(2, abs=0.2)

    page.locator("[data-name=filter-kind] select").select_option("enters")
    wait_cards(page, 2)
    page.locator("[data-name=filter-source] select").select_option("gate")
    wait_cards(page, 1)
    in_address(page, "kind=enters", "source=gate")
    page.locator("[data-name=filter-since] select").select_option("1h")  # it was two hours ago
    until(page, "!document.querySelector('[data-name=no-events]').hidden")
    page.click("[data-name=all]")
    wait_cards(page, 5)
    set_slider(page, "filter-score", 90)
    wait_cards(page, 2)
    assert kinds(page) == ["Enters", "Gunshot"]


def test_marks_are_kept_and_can_be_taken_away(visit: Visit, kept_events: list[str], studio_guard: Path) -> None:
    page = visit("guard", fresh=True, film="none")
    wait_cards(page, 5)
    card = page.locator(f"{CARDS}[data-id='{kept_events[0]}']")
    card.locator("[data-name=mark-wrong]").click()
    page.wait_for_selector(f"{CARDS}[data-id='{kept_events[0]}'][data-mark=wrong]")
    card.locator("input").fill("a door that slammed")
    card.locator("input").press("Enter")
    with closing(EventStore(studio_guard)) as store:
        until(page, "document.querySelector('.guard-take').innerText.includes('(1)')")
        end = time.monotonic() + PATIENCE_S
        while not store.get(kept_events[0]).mark_note and time.monotonic() < end:
            page.wait_for_timeout(50)
        assert (store.get(kept_events[0]).mark, store.get(kept_events[0]).mark_note) == (
            "wrong",
            "a door that slammed",
        )
    with page.expect_download() as got:
        page.locator(".guard-take a").last.click()
    assert got.value.suggested_filename == "marked.zip"
    page.locator("[data-name=filter-mark] select").select_option("wrong")
    wait_cards(page, 1)
    page.locator(f"{CARDS} [data-name=mark-wrong]").click()  # taken back
    page.wait_for_selector(f"{CARDS}[data-mark='']")
    with closing(EventStore(studio_guard)) as store:
        assert store.get(kept_events[0]).mark == ""


def test_zones_and_lines_are_drawn_into_the_rules_and_saved(
    visit: Visit, kept_events: list[str], no_rules: Path
) -> None:
    page = visit("guard", fresh=True, film="none")
    wait_cards(page, 5)  # they stand above, and move what is below when they come
    until(page, "document.querySelector('.area-frame[data-picture=yes]')")  # the yard's own picture
    write(page, "# mine\n")
    page.click("[data-name=new-zone]")
    canvas = page.locator("[data-name=areas] canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for x, y in ((0.2, 0.2), (0.6, 0.2), (0.6, 0.7), (0.2, 0.2)):  # the first again closes it
        page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    until(page, "document.querySelectorAll('.area-handle').length === 3")
    page.click("[data-name=new-line]")
    page.keyboard.press("Enter")  # without a pointer
    until(page, "document.querySelectorAll('.area-handle').length === 5")
    rules = parse_rules(page.input_value(TEXT))
    assert [round(v, 2) for point in rules.zones[0].points for v in point] == pytest.approx(
        [0.2, 0.2, 0.6, 0.2, 0.6, 0.7], abs=0.011
    )
    assert page.input_value(TEXT).startswith("# mine\n")

    page.locator(".area-handle[data-area=line][data-corner='1']").focus()
    page.keyboard.press("Shift+ArrowUp")
    until(page, f"document.querySelector('{TEXT}').value.includes('[0.8, 0.55]')")
    assert page.locator(".area-handle:focus").get_attribute("data-area") == "line"
    page.click("[data-name=template-line]")
    until(page, "document.querySelector('[data-name=rules-summary]').innerText.includes('crosses a line')")
    name = page.locator(".area-item input[data-area=line]")
    name.fill("the gate")
    name.press("Enter")
    until(page, "document.querySelector('[data-name=rules-summary]').innerText.includes('in the gate')")
    page.click("[data-name=save-rules]")
    until(page, "document.querySelector('[data-name=rules-state]').innerText.startsWith('saved in')")
    kept = read_rules(no_rules)
    assert [line.name for line in kept.lines] == ["the gate"]
    assert kept.rules[0].lines == ("the gate",)


def test_zones_and_lines_come_and_go_as_json(visit: Visit, kept_events: list[str], no_rules: Path) -> None:
    page = visit("guard", fresh=True, film="none")
    write(page, "[zones]\ndoor = [[0, 0], [1, 0], [1, 1]]\n")
    yard, gate = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]], [[0, 0.5], [1, 0.5]]
    given = {"zones": [{"name": "door", "points": yard, "ignore": True}], "lines": [{"name": "gate", "points": gate}]}
    file = {"name": "zones.json", "mimeType": "application/json"}
    page.locator("[data-name=areas-file]").set_input_files(file | {"buffer": json.dumps(given).encode()})
    until(page, f"document.querySelector('{TEXT}').value.includes('gate')")
    rules = parse_rules(page.input_value(TEXT))
    assert [(zone.name, zone.ignore) for zone in rules.zones] == [("door", False), ("door 2", True)]
    until(page, "document.querySelector('[data-name=areas]').innerHTML.includes('gate')")
    with page.expect_download() as saved:
        page.click("[data-name=take-areas]")
    taken = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert {zone["name"]: zone["points"] for zone in taken["zones"]}["door 2"] == yard
    assert taken["lines"] == given["lines"]
    wrong = b'{"zones": [{"name": "x", "points": [[0, 0]]}]}'
    page.locator("[data-name=areas-file]").set_input_files(file | {"buffer": wrong})
    page.wait_for_selector(".message:visible")
    assert "zones[1].points" in page.locator(".message:visible").first.inner_text()


def test_a_fault_in_the_rules_is_reported_with_its_line(visit: Visit, kept_events: list[str], no_rules: Path) -> None:
    page = visit("guard", fresh=True, film="none")
    write(page, '[[rules]]\nname = "a"\nevents = ["enterz"]\n')
    assert "did you mean 'enters'" in page.locator("[data-name=rules-fault]").inner_text()
    assert page.locator(".bad-line").inner_text() == "3"
    assert page.locator("[data-name=save-rules]").is_disabled()
    write(page, '[[rules]]\nname = "a"\nevents = ["enters"]\nhours = ["22:00-06:00"]\n')
    assert page.locator("[data-name=rules-fault]").inner_text() == ""
    assert "22:00–06:00" in page.locator("[data-name=rules-summary]").inner_text()
    page.locator("[data-name=language] label").nth(1).click()  # what is not saved outlives a change of language
    page.wait_for_selector("html[lang=hu][data-ready=guard]", state="attached")
    until(page, f"document.querySelector('{TEXT}').value.includes('22:00')")
    page.click("[data-name=undo-rules]")
    until(page, f"document.querySelector('{TEXT}').value === ''")
    assert not no_rules.exists()


def test_a_video_is_tried_at_once(visit: Visit, no_rules: Path, tmp_path: Path) -> None:
    page = visit("guard", fresh=True, film="none")
    page.locator("[data-name=film-file]").set_input_files(make_covered_video(tmp_path / "covered.mp4"))
    until(page, "document.querySelector('[data-name=film-state]').dataset.state === 'done'", patience_s=120)
    row = page.locator("[data-name=film-events] button")
    assert row.count() == 1
    assert "Camera covered" in row.inner_text()
    assert "rule: everything" in row.inner_text()
    assert page.locator(".curve-block").count() == 1
    assert page.locator(".curve-video").get_attribute("d").count("L") > 20
    start = page.evaluate("parseFloat(document.querySelector('.curve-block').style.getPropertyValue('--from'))")
    assert 3.5 / 8 < start < 6 / 8
    row.click()
    until(page, "document.querySelector('[data-name=film-video]').currentTime > 2.5")
    until(page, "document.querySelector('.ev-row[data-now]')")


def test_it_speaks_hungarian_and_fits_a_phone(visit: Visit, kept_events: list[str]) -> None:
    page = visit("guard", browser=PHONE, lang="hu", film="none")
    wait_cards(page, 5)
    assert "Felügyelet képpel és hanggal" in page.inner_text("h1")
    assert kinds(page)[-1] == "Lövés"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_server_without_events_says_how_to_begin(visit: Visit) -> None:
    empty = {"present": False, "folder": "x", "total": 0, "sources": [], "kinds": {}, "marks": {}, "events_of": {}}

    def reply(page: Any) -> None:
        page.route(re.compile(r"/guard$"), lambda route: route.fulfill(json=empty))
        nothing = {"events": [], "nextPageToken": "", "total": 0}
        page.route(re.compile(r"/guard/events\?"), lambda route: route.fulfill(json=nothing))

    page = visit("guard", before=reply, film="none")
    until(page, "!document.querySelector('[data-name=no-events]').hidden")
    assert "szem watch" in page.locator("[data-name=no-events]").inner_text()


def test_it_opens_at_work_on_the_drawn_yard_and_leaves_without_a_trace(visit: Visit) -> None:
    page = visit("guard", fresh=True)
    until(page, "document.querySelector('[data-name=film-state]').dataset.state !== 'none'")
    until(page, f"{VIDEO}.readyState >= 2 && !{VIDEO}.paused && {VIDEO}.muted")
    page.click("[data-name=sound-on]")
    assert not page.evaluate(f"{VIDEO}.muted")
    assert page.locator("[data-name=sound-on]").is_hidden()
    page.evaluate("() => { delete document.documentElement.dataset.ready; location.hash = '#/start'; }")
    page.wait_for_selector("html[data-ready=start]", state="attached")  # in the middle of it: no error is left behind


# Pure functions -------------------------------------------------------------------------------------------------

FILE = """# who may come in
[zones]
door = [
  [0.1, 0.2], # left
  [0.4, 0.2],
  [0.4, 0.9],
]
"back yard" = { points = [[0, 0], [1, 0], [1, 1]], ignore = true }

[cameras.gate.lines]
in = [[0, 0.5], [1, 0.5]]

[[rules]]
name = "door"
events = ["enters"]
zones = ["door", 'back yard'] # both
lines = ["in"]
"""


@pytest.mark.parametrize("table", [["zones"], ["cameras", "the yard", "zones"]])
@pytest.mark.parametrize("name", ["door", "back yard", "new", 'a "b" = [c]', "ajtó"])
def test_a_zone_is_put_into_the_text_and_nothing_else_changes(
    lab: Callable[..., Any], table: list[str], name: str
) -> None:
    points = [[0.1, 0.1], [0.5, 0.12345], [0.5, 0.6]]
    body = "return m.putArea(...a)"
    text = lab("guard/toml.js", body, [FILE, table, name, points, {"ignore": True}])
    wanted = tomllib.loads(FILE)
    place = wanted
    for part in table:
        place = place.setdefault(part, {})
    place[name] = {"points": [[0.1, 0.1], [0.5, 0.123], [0.5, 0.6]], "ignore": True}
    assert tomllib.loads(text) == wanted
    assert "# who may come in" in text
    assert "# both" in text


def test_zones_are_renamed_and_removed_in_rules_too(lab: Callable[..., Any]) -> None:
    renamed = lab("guard/toml.js", "return m.renameArea(a, ['zones'], 'door', 'front door', [])", FILE)
    read = tomllib.loads(renamed)
    assert list(read["zones"]) == ["front door", "back yard"]
    assert read["rules"][0]["zones"] == ["front door", "back yard"]
    without = tomllib.loads(lab("guard/toml.js", "return m.dropArea(a, ['cameras', 'gate', 'lines'], 'in')", FILE))
    assert without["cameras"]["gate"]["lines"] == {}
    assert "lines" not in without["rules"][0]
    own = "[zones.door]\npoints = [[0, 0], [1, 0], [1, 1]]\nignore = true\n\n[keep]\ndays = 3\n"
    moved = tomllib.loads(
        lab("guard/toml.js", "return m.putArea(a, ['zones'], 'door', [[0, 0], [1, 0], [0.5, 1]])", own)
    )
    assert moved == {"zones": {"door": [[0, 0], [1, 0], [0.5, 1]]}, "keep": {"days": 3}}


def test_keys_written_with_dots_stay_so(lab: Callable[..., Any]) -> None:
    file = '[cameras.door]\nsource = "0"\nzones.step = [[0, 0], [1, 0], [1, 1]]  # below\n\n[[rules]]\nname = "a"\nevents = ["*"]\n'
    table = ["cameras", "door", "zones"]
    body = """let text = m.putArea(a[0], a[1], "back yard", [[0, 0], [1, 0], [0, 1]]);
      return m.renameArea(text, a[1], "step", "stairs", []);"""
    text = lab("guard/toml.js", body, [file, table])
    read = tomllib.loads(text)
    assert read["cameras"]["door"]["zones"] == {
        "stairs": [[0, 0], [1, 0], [1, 1]],
        "back yard": [[0, 0], [1, 0], [0, 1]],
    }
    assert read["rules"] == [{"name": "a", "events": ["*"]}]
    assert "# below" in text


def test_templates_are_rules_that_the_server_takes(lab: Callable[..., Any]) -> None:
    body = """const { addRule, putArea } = await import("/js/guard/toml.js");
      const names = { zones: ["door"], lines: ["gate"] };
      let text = putArea(putArea("", ["zones"], "door", [[0, 0], [1, 0], [1, 1]]), ["lines"], "gate", [[0, 0], [1, 1]]);
      for (const make of Object.values(m.TEMPLATES)) text = addRule(text, make(names));
      return [text, Object.keys(m.TEMPLATES)];"""
    text, names = lab("guard/reading.js", body)
    rules = parse_rules(text)
    assert len(rules.rules) == len(names)
    assert rules.rules[0].zones == ("door",)


def test_curves_and_blocks_lie_where_they_must(lab: Callable[..., Any]) -> None:
    path = lab("guard/curves.js", "return m.areaPath([0, 1, 2], [0, 1, 0.5], 4, -1)")
    assert path == "M0.0 100L0.0 100.0L250.0 4.0L500.0 52.0L500.0 100Z"
    rows = lab("guard/curves.js", "return m.rowsOf([[0, 5], [1, 2], [2.5, 3], [6, 7]], 1)")
    assert rows == [0, 1, 1, 0]


def test_a_choice_of_events_becomes_a_query(lab: Callable[..., Any]) -> None:
    choice = {"source": "gate", "kind": "", "mark": "none", "channel": "both", "score": 55, "since": "24h"}
    text = lab("guard/routes.js", "return String(m.queryOf(a))", choice)
    assert json.dumps(sorted(text.split("&"))) == json.dumps(
        ["channel=both", "mark=none", "minScore=0.55", "since=24h", "source=gate"]
    )


# The owner's key ----------------------------------------------------------------------------------------------------


def test_the_key_leaves_the_address_and_opens_the_page(
    chromium: Any, studio_url: str, kept_events: list[str]
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{studio_url}/#key={KEY}")
    page.wait_for_selector("html[data-ready=start]", state="attached")
    assert KEY not in page.url
    page.goto(f"{studio_url}/#/guard")
    wait_cards(page, len(kept_events))
    page.locator(".ev-card img").first.scroll_into_view_if_needed()
    until(page, "document.querySelector('.ev-card img').naturalWidth > 0")
    page.reload()
    wait_cards(page, len(kept_events))
    context.close()


def test_without_the_key_the_page_says_where_it_is(visit: Visit, kept_events: list[str]) -> None:
    page = visit("guard", key="", expect=("401",), film="none")
    problem = page.locator("[data-name=events-problem]")
    problem.get_by_text("#key=").wait_for()
    assert page.locator(CARDS).count() == 0
    assert kept_events


@pytest.mark.slow
def test_the_drawn_yard_holds_what_is_said_of_it_and_nothing_else() -> None:
    yard = studio_folder() / "samples" / "yard.mp4"
    seen = szem.watch(yard).to_dict()["events"]
    assert [(event["kind"], event["label"]) for event in seen] == [("left behind", "object")]
    heard = {event["kind"]: event["score"] for event in szem.listen(yard).to_dict()["events"]}
    assert heard["siren"] > 0.8
    assert set(heard) <= {"siren", "alarm", "vehicle"}, "a siren is an alarm, and a vehicle's"
