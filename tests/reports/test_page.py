import base64
import csv
import hashlib
import io
import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fakefacecli.reports.page import page_pieces, write_page
from fakefacecli.reports.rows import Row
from tests.browser import chromium, opened
from tests.reports.made_rows import (
    CARD,
    HEADER,
    duplicates,
    image,
    judged,
    overlay,
    rows_for,
    sha256_of,
    unreadable,
    usual,
)

HOSTILE = (
    "</script><img src=x onerror=alert(1)>.jpg",
    '"><script>window.ran = 1</script>.jpg',
    "<!--<script>",
    "'-alert(1)-'{{ 7 * 7 }}{% raw %}.jpg",
    "\u202egpj.exe",
    "bytes \udcff\udce9.jpg",
    "line\u2028\u2029\nend\r\x00\x1b[31m.jpg",
    "x" * 4000,
    "=cmd|' /C calc'!A0.jpg",
)
# the page with everything filled in and shut again
SETTLED = "document.querySelectorAll('#table-rows tr').length > 0"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("page")
    path = folder / "report.html"
    write_page(str(path), HEADER, usual(folder), str(folder), CARD)
    return path


def written(folder: pathlib.Path, rows: list[Row], name: str = "report.html") -> pathlib.Path:
    write_page(str(folder / name), HEADER, rows, str(folder), CARD)
    return folder / name


def files_shown(page: Any) -> list[str]:
    return page.locator("#table-rows th").all_inner_texts()


def focused(page: Any) -> str:
    """The file of the card that has the focus."""
    return page.evaluate("document.activeElement.querySelector('h4')?.textContent ?? ''")


def saved(page: Any) -> list[dict[str, str]]:
    """The rows of the decisions.csv that the page gives."""
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename == "decisions.csv"
    data = pathlib.Path(download.value.path()).read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def test_the_page_has_its_own_policy_with_the_hashes_of_its_style_and_script(
    report: pathlib.Path,
) -> None:
    text = report.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    for element, rule in (("style", "style-src"), ("script", "script-src")):
        body = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        assert len(body) == 1
        digest = base64.b64encode(hashlib.sha256(body[0].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]
    assert "innerHTML" not in text


def test_counts_are_there_without_javascript(browser: Any, report: pathlib.Path) -> None:
    with opened(browser, report, java_script_enabled=False) as found:
        counts = found.page.locator("#summary tbody tr").all_inner_texts()
        assert [re.findall(r"\d+", line) for line in counts] == [
            ["2", "25", "3"],  # the third image is flagged by what its file says
            ["3", "38", "2"],
            ["3", "38", "2"],
        ]
        words = found.page.locator("main").inner_text()
        assert "9 images with 8 faces; 1 without a face; 1 could not be read" in words
        assert "JavaScript is off in this browser" in words
        assert "A verdict is evidence, not proof." in words
        assert "passed over: 2 hidden" in words
        assert "e/broken.jpg: the file ends before its picture does" in words
        assert found.page.locator("button:visible").count() == 0


def test_the_table_is_filtered(browser: Any, report: pathlib.Path) -> None:
    with opened(browser, report) as found:
        page = found.page
        assert page.locator("#table-count").inner_text() == "10 of 10 rows"
        page.select_option("#choose-verdict", label="Inconclusive")
        assert files_shown(page) == ["b/open.jpg", "b/open.jpg", "b/other.jpg"]
        page.fill("#table-text", "OTHER")
        assert files_shown(page) == ["b/other.jpg"]
        page.select_option("#choose-verdict", label="All")
        page.fill("#table-text", "imagined")  # a generator that a file names
        assert files_shown(page) == ["d/declared.jpg"]
        page.fill("#table-text", "")
        page.select_option("#choose-status", label="Not readable")
        assert files_shown(page) == ["e/broken.jpg"]
        page.select_option("#choose-status", label="All")
        page.select_option("#choose-origin", label="AI")
        assert files_shown(page) == ["d/declared.jpg"]
        page.select_option("#choose-origin", label="All")
        page.select_option("#choose-reason", label="above high")
        assert files_shown(page) == ["a/flagged.jpg", "a/sure.png"]
        assert page.locator("#table-count").inner_text() == "2 of 10 rows"


def test_the_table_is_sorted_and_rows_without_a_score_stay_last(
    browser: Any, report: pathlib.Path
) -> None:
    with opened(browser, report) as found:
        page = found.page
        head = page.get_by_role("columnheader", name="p_fake")
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        first = files_shown(page)
        assert first[:3] == ["a/sure.png", "a/flagged.jpg", "b/open.jpg"]
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        second = files_shown(page)
        assert second[:2] == ["c/clear2.jpg", "d/declared.jpg"]
        assert set(first[-2:]) == set(second[-2:]) == {"e/landscape.jpg", "e/broken.jpg"}
        page.get_by_role("columnheader", name="File").get_by_role("button").click()
        assert head.get_attribute("aria-sort") is None
        assert files_shown(page) == sorted(first)


def test_a_picture_opens_and_the_focus_comes_back(browser: Any, report: pathlib.Path) -> None:
    with opened(browser, report) as found:
        page = found.page
        row = page.get_by_role("button", name="Details of a/sure.png, face 1").last
        row.click()
        dialog = page.get_by_role("dialog")
        assert dialog.get_by_role("heading").inner_text() == "a/sure.png, face 1"
        assert _size(dialog) == [300, 200]
        assert "p_fake is at or above the high threshold." in dialog.inner_text()
        assert "clip +1.25, native -0.50" in dialog.inner_text()
        page.keyboard.press("k")
        assert dialog.get_by_role("heading").inner_text() == "a/flagged.jpg, face 1"
        assert _size(dialog) == [720, 595]
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
        assert row.evaluate("node => node === document.activeElement")


def _size(dialog: Any) -> list[int]:
    return dialog.locator("img").evaluate("node => [node.naturalWidth, node.naturalHeight]")


def test_a_row_without_a_picture_says_so_in_words(browser: Any, tmp_path: pathlib.Path) -> None:
    overlay(tmp_path, "good.jpg")
    (tmp_path / "ov" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    names = (None, "gone.jpg", "broken.jpg", "good.jpg")
    faces = [image(f"{name}", judged(0.95, name)) for name in names]
    with opened(browser, written(tmp_path, rows_for(*faces))) as found:
        cards = dict(
            zip(
                found.page.locator(".card h4").all_inner_texts(),
                found.page.locator(".card").all(),
                strict=True,
            )
        )
        assert "No picture was saved of this row." in cards["None"].inner_text()
        gone = "The saved picture is no longer there. Its file: ov/gone.jpg"
        assert gone in cards["gone.jpg"].inner_text()
        assert "The saved picture cannot be read." in cards["broken.jpg"].inner_text()
        assert cards["good.jpg"].locator("img").count() == 1


def test_flagged_faces_come_first_then_other_evidence_then_inconclusive_ones(
    browser: Any, report: pathlib.Path
) -> None:
    with opened(browser, report) as found:
        page = found.page
        assert page.locator(".card h4").all_inner_texts() == [
            *("a/sure.png", "a/flagged.jpg", "d/declared.jpg"),
            *("b/open.jpg", "b/open.jpg", "b/other.jpg"),
        ]
        declared = page.locator(".card").nth(2).inner_text()
        assert "Image flagged" in declared
        assert "The image is flagged by what the file says of itself." in declared
        assert "It names the generator Imagined 3." in declared
        page.select_option("#choose-show", label="Inconclusive faces")
        assert page.locator(".card").count() == 3


def test_keys_decide_and_the_file_has_what_was_decided(browser: Any, report: pathlib.Path) -> None:
    with opened(browser, report) as found:
        page = found.page
        page.keyboard.press("f")  # no face is chosen: nothing may be decided
        assert page.locator("#decided-count").inner_text() == "Decided 0 of 6."
        assert page.locator("#save").is_disabled()
        page.keyboard.press("j")
        assert focused(page) == "a/sure.png"
        page.keyboard.press("f")
        assert focused(page) == "a/flagged.jpg"
        page.keyboard.press("r")
        page.keyboard.press("u")
        assert page.locator("#decided-count").inner_text() == "Decided 3 of 6."
        page.keyboard.press("ArrowUp")
        page.keyboard.press("k")
        assert focused(page) == "a/flagged.jpg"
        page.keyboard.press("n")
        page.keyboard.type('=2+3, "fru"j')  # letters that are keys elsewhere
        page.keyboard.press("Enter")
        assert focused(page) == "a/flagged.jpg"
        page.keyboard.press("j")
        page.keyboard.press("0")
        assert page.locator("#decided-count").inner_text() == "Decided 2 of 6."
        rows = saved(page)
        assert list(rows[0]) == ["path", "sha256", "face", "decision", "note", "time", "model"]
        assert [(row["path"], row["face"], row["decision"]) for row in rows] == [
            ("a/flagged.jpg", "1", "real"),
            ("a/sure.png", "1", "fake"),
        ]
        assert rows[0]["note"] == '\'=2+3, "fru"j'  # no formula in a spreadsheet
        assert [row["sha256"] for row in rows] == [sha256_of(row["path"]) for row in rows]
        assert {row["model"] for row in rows} == {"a-model"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[0]["time"])


def test_buttons_decide_as_keys_do_and_a_second_press_takes_it_back(
    browser: Any, report: pathlib.Path
) -> None:
    with opened(browser, report) as found:
        page = found.page
        choice = page.get_by_role("group", name="Decision on a/sure.png, face 1")
        fake = choice.get_by_role("button", name="Fake")
        fake.click()
        assert fake.get_attribute("aria-pressed") == "true"
        page.wait_for_function("document.getElementById('said').textContent.includes('1 of 6')")
        column = page.get_by_role("row", name="a/sure.png").locator(".decision")
        assert column.inner_text() == "Fake"
        choice.get_by_role("button", name="Real").click()
        assert fake.get_attribute("aria-pressed") == "false"
        choice.get_by_role("button", name="Real").click()
        assert page.locator("#decided-count").inner_text() == "Decided 0 of 6."


def test_keys_can_be_switched_off(browser: Any, report: pathlib.Path) -> None:
    with opened(browser, report) as found:
        page = found.page
        page.locator("#bar summary").click()
        assert page.locator("#bar dt").all_inner_texts() == list("jkfrun0o")
        page.get_by_label("Go to the next face after a key").uncheck()
        page.keyboard.press("j")
        page.keyboard.press("f")
        assert focused(page) == "a/sure.png"
        page.get_by_label("Decide by keys").uncheck()
        page.locator(".card").nth(1).focus()
        page.keyboard.press("f")
        assert page.locator("#decided-count").inner_text() == "Decided 1 of 6."


def test_one_decision_holds_for_the_same_face_of_near_duplicates_on_request(
    browser: Any, tmp_path: pathlib.Path
) -> None:
    with opened(browser, written(tmp_path, duplicates())) as found:
        page = found.page
        first = page.locator(".card").filter(has_text="x.jpg")
        assert "Near-duplicates: group 1, 3 files of this run." in first.inner_text()
        first.get_by_label("Also decide the same face of 1 near-duplicate").check()
        first.get_by_role("button", name="Fake").click()
        rows = saved(page)
        # in z.jpg a face lies elsewhere: it may be another person's
        assert [(row["path"], row["pdq"]) for row in rows] == [
            ("x.jpg", "ab" * 32),
            ("y.jpg", "ab" * 32),
        ]
        known = page.locator(".card").filter(has_text="known.jpg").inner_text()
        assert "On a list of known pictures as “fake”, 4 bits of 256 differ." in known
        assert "seen in June" in known


def test_decisions_that_are_not_saved_are_not_lost_without_a_question(
    browser: Any, report: pathlib.Path
) -> None:
    asked: list[str] = []
    with opened(browser, report) as found:
        page = found.page
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.reload()
        assert asked == []
        page.keyboard.press("j")
        page.keyboard.press("f")
        page.reload()
        assert asked == ["beforeunload"]
        page.locator(".card").first.get_by_role("button", name="Fake").click()
        assert len(saved(page)) == 1
        page.reload()
        assert asked == ["beforeunload"]
        page.locator(".note-text").first.fill("a note alone is kept as well")
        page.reload()
        assert asked == ["beforeunload"] * 2


@pytest.mark.parametrize("as_json", [False, True], ids=["as the system has it", "as in JSON"])
def test_no_name_runs_a_script_or_draws_an_element(
    browser: Any, tmp_path: pathlib.Path, as_json: bool
) -> None:
    rows = rows_for(
        *(image(name, judged(0.95), index=number) for number, name in enumerate(HOSTILE)),
        *(unreadable(name) for name in HOSTILE),
    )
    for row in rows:
        row |= {"generator": HOSTILE[0], "c2pa_signer": HOSTILE[1], "known_note": HOSTILE[2]}
        row |= {"members": {HOSTILE[0]: 1.0, HOSTILE[1]: 2.0}, "known": "fake", "c2pa": "valid"}
        if as_json:
            row["path_bytes"] = base64.b64encode(
                row["path"].encode("utf-8", "surrogateescape")
            ).decode()
    header = {**HEADER, "options": {"paths": [HOSTILE[0], HOSTILE[5]]}}
    card = {**CARD, "name": HOSTILE[1], "trained_on": HOSTILE[0]}
    path = tmp_path / "report.html"
    write_page(str(path), header, rows, str(tmp_path), card)
    with opened(browser, path) as found:
        page = found.page
        page.on("dialog", lambda dialog: found.problems.append(f"a dialog: {dialog.message}"))
        page.wait_for_function(SETTLED)
        for button in page.get_by_role("button", name="Details of").all()[:9]:
            button.click()
            page.keyboard.press("f")
            page.keyboard.press("Escape")
        assert page.evaluate("window.ran") is None
        assert page.locator("img").count() == 0
        assert page.locator("script:not([type])").count() == 1
        names = page.locator(".card h4").all_inner_texts()
        assert sorted(names)[:2] == sorted([HOSTILE[1], HOSTILE[3]])
        assert "\\u202egpj.exe" in names
        assert "bytes \\xff\\xe9.jpg" in names
        decisions = saved(page)
        assert "'=cmd|' /C calc'!A0.jpg" in [row["path"] for row in decisions]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_ten_thousand_rows_are_filtered_sorted_and_paged(
    browser: Any, tmp_path: pathlib.Path
) -> None:
    number = 10_000
    scores = [(n * 7919 % number) / number for n in range(number)]
    rows = rows_for(
        *(image(f"many/{n:05}.jpg", judged(score), index=n) for n, score in enumerate(scores))
    )
    with opened(browser, written(tmp_path, rows)) as found:
        page = found.page
        assert page.locator("#table-count").inner_text() == "10000 of 10000 rows"
        assert page.locator("#table-rows tr").count() == 50
        page.select_option("#choose-verdict", label="Flagged")
        flagged = sum(score >= 0.9 for score in scores)
        assert page.locator("#table-count").inner_text() == f"{flagged} of 10000 rows"
        page.get_by_role("columnheader", name="p_fake").get_by_role("button").click()
        best = max(range(number), key=lambda n: scores[n])
        assert files_shown(page)[0] == f"many/{best:05}.jpg"
        pages = page.get_by_role("navigation", name="Pages of the table")
        assert "Page 1 of 20" in pages.inner_text()
        pages.get_by_role("button", name="Next page").click()
        assert "Page 2 of 20" in pages.inner_text()
        seen = set(files_shown(page))
        pages.get_by_role("button", name="Previous page").click()
        assert not seen & set(files_shown(page))
        page.select_option("#choose-verdict", label="All")
        page.fill("#table-text", "many/0999")
        assert page.locator("#table-count").inner_text() == "10 of 10000 rows"
        assert page.locator(".card").count() == 12


def test_j_goes_on_to_the_next_page_of_faces(browser: Any, tmp_path: pathlib.Path) -> None:
    rows = rows_for(*(image(f"{n:02}.jpg", judged(0.99 - n / 1000), index=n) for n in range(30)))
    with opened(browser, written(tmp_path, rows)) as found:
        page = found.page
        for _ in range(13):
            page.keyboard.press("j")
        assert focused(page) == "12.jpg"
        page.keyboard.press("k")
        assert focused(page) == "11.jpg"
        page.keyboard.press("f")
        assert focused(page) == "12.jpg"
        page.select_option("#choose-show", label="Not decided yet")
        assert "11.jpg" not in page.locator(".card h4").all_inner_texts()


def test_the_expected_wrong_flags_follow_the_share_that_is_entered(
    browser: Any, report: pathlib.Path
) -> None:
    # of 1000 real faces 10 are flagged, of 500 fakes 200; at 1 %: 0.0099 / (0.0099 + 0.004)
    with opened(browser, report, java_script_enabled=False) as found:
        static = found.page.locator("#odds-result").inner_text()
    with opened(browser, report) as found:
        page = found.page
        result = page.locator("#odds-result")
        assert " ".join(result.inner_text().split()) == " ".join(static.split())
        assert "about 1.4 of the 2 flagged faces are expected to be real people" in static
        page.fill("#prevalence", "50")  # 0.005 / (0.005 + 0.2)
        assert "about 0.0 of the 2 flagged faces" in result.inner_text()
        page.fill("#prevalence", "0.1")
        assert "about 1.9 of the 2 flagged faces" in result.inner_text()
        page.fill("#prevalence", "0")
        assert "Enter a share over 0" in result.inner_text()
        assert page.locator("#prevalence").get_attribute("aria-invalid") == "true"
        page.fill("#prevalence", "1")
        page.select_option("#measured-on", label="sources never seen: half size")
        assert "of 200 real faces" in result.inner_text()


def test_a_page_without_card_and_header_says_what_is_not_known(
    browser: Any, tmp_path: pathlib.Path
) -> None:
    write_page(str(tmp_path / "r.html"), None, usual(tmp_path), str(tmp_path))
    with opened(browser, tmp_path / "r.html") as found:
        words = found.page.locator("body").inner_text()
        assert "Nothing is known of the run that made this report." in words
        assert "Nothing is known here of how often this model is wrong." in words


def test_the_run_and_the_card_are_shown_to_their_last_cell(
    browser: Any, tmp_path: pathlib.Path
) -> None:
    parts = [{"name": "clip", "file": "c.safetensors"}, {"file": "no name", "mean": [1.5, 2]}]
    card = {**CARD, "members": parts, "early_exit": {"measured": {"val": {"faces": 260}}}}
    write_page(str(tmp_path / "r.html"), HEADER, usual(tmp_path), str(tmp_path), card)
    with opened(browser, tmp_path / "r.html") as found:
        page = found.page
        page.evaluate(
            "document.querySelectorAll('#run details').forEach(one => { one.open = true })"
        )
        words = page.locator("#run").inner_text()
        assert "[object" not in page.locator("body").inner_text()
        assert "{'" not in words
        cells = page.locator("#run .facts tr").all_inner_texts()
        for line in ("file\tc.safetensors", "file\tno name", "mean\t1.5, 2", "faces\t260"):
            assert line in cells
        assert "1 clip" in words and "hidden\t2" in cells
        # the same card with the rates that the page works with
        assert "1\u00a0% of 1000 (95\u00a0% interval 0.48\u00a0% to 1.8\u00a0%)" in words


def test_a_run_without_any_row_has_a_page(browser: Any, tmp_path: pathlib.Path) -> None:
    with opened(browser, written(tmp_path, [])) as found:
        words = found.page.locator("main").inner_text()
        assert "0 images with 0 faces" in words
        assert "No face was judged." in words
        assert "No face was flagged or inconclusive." in words
        assert "0 of 0 rows" in words


def test_paper_has_all_faces_to_look_at_and_no_controls(
    browser: Any, tmp_path: pathlib.Path
) -> None:
    name = overlay(tmp_path, "one.jpg")
    rows = rows_for(*(image(f"{n:02}.jpg", judged(0.95, name), index=n) for n in range(30)))
    with opened(browser, written(tmp_path, rows)) as found:
        page = found.page
        page.locator(".card").first.get_by_role("button", name="Unsure").click()
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#on-paper .card:visible").count() == 30
        assert page.locator("#on-paper img:visible").count() == 30
        assert page.locator("#on-paper strong").all_inner_texts() == ["Decided: Unsure"]
        assert page.locator("button:visible, input:visible, select:visible").count() == 0
        assert page.locator("#run table:visible").count() >= 2
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        assert page.locator("#on-paper .card").count() == 0
        assert len(page.pdf(format="A4")) > 30_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_stands_in_the_way_of_people_with_disabilities(
    browser: Any, report: pathlib.Path, scheme: str, width: int
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="axe-playwright-python is not installed (pip install '.[dev]')",
    )
    view = {"width": width, "height": 800}
    # axe is put into the page as a script, which the page's own policy would refuse
    with opened(browser, report, color_scheme=scheme, viewport=view, bypass_csp=True) as found:
        page = found.page
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator(".card").first.get_by_role("button", name="Fake").click()
        for summary in page.locator("summary:visible").all():
            summary.click()
        problems = _violations(axe, page)
        page.locator("#bar summary").click()
        page.get_by_role("button", name="Open the details of a/sure.png").click()
        assert problems + _violations(axe, page) == []


def _violations(axe: Any, page: Any) -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical", "moderate")
    ]


def test_a_page_that_cannot_be_finished_leaves_the_old_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    rows = usual(tmp_path)
    rows[0]["p_fake"] = float("nan")  # no JSON has it
    with pytest.raises(ValueError):
        write_page(str(path), HEADER, rows, str(tmp_path), CARD)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "ov"] == ["report.html"]


def test_the_data_stand_in_the_page_as_json_without_a_character_of_html(
    tmp_path: pathlib.Path,
) -> None:
    rows = rows_for(*(image(name, judged(0.95)) for name in HOSTILE))
    text = "".join(page_pieces(HEADER, rows, str(tmp_path), CARD))
    island = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert island is not None
    assert not set("<>&'\u2028\u2029") & set(island[1])
    data = json.loads(island[1])
    assert len(data["rows"]) == len(HOSTILE)
