"""The page in a real browser."""

import csv
import io
import pathlib
import urllib.parse
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser import chromium
from tests.command import SMALL, assert_same, fakeface, rows
from tests.web.conftest import Served

WAIT = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def tab(browser: Any, page: Served) -> Iterator[Any]:
    """The page in a fresh window; nothing in it may fail, and nothing may leave loopback."""
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 900})
    found = context.new_page()
    sent: list[str] = []
    problems: list[str] = []
    found.on("request", lambda request: sent.append(request.url))
    found.on("pageerror", lambda error: problems.append(str(error)))
    found.on("dialog", lambda dialog: problems.append("a dialog"))
    found.goto(page.url)
    found.locator("#judge").wait_for(timeout=WAIT)
    yield found
    context.close()
    hosts = {urllib.parse.urlsplit(url).hostname for url in sent if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    assert problems == []


def choose(tab: Any, where: str, *paths: pathlib.Path) -> None:
    """Upload the files; at the end all are there: while one is sent, only its name is shown."""
    tab.locator(f"{where} input[type=file]").set_input_files([str(path) for path in paths])
    tab.locator(f"{where} a[href*='file=']").nth(len(paths) - 1).wait_for(timeout=WAIT)


def judge(tab: Any, *paths: pathlib.Path) -> None:
    choose(tab, "#pictures", *paths)
    tab.locator("#judge").click()
    tab.locator("#answer article").first.wait_for(timeout=WAIT)


def test_a_photograph_gets_the_verdict_of_the_command_line(
    tab: Any, photos: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    report = tmp_path / "out.csv"
    fakeface("scan", photos / "one.jpg", "--report", report)
    [row] = rows(report)
    judge(tab, photos / "one.jpg")
    face = tab.locator("#answer .ff-face")
    assert face.count() == 1
    assert face.get_attribute("data-verdict") == row["verdict"] == "flagged"
    assert float(face.locator(".ff-fake").inner_text()) == pytest.approx(
        float(row["p_fake"]), abs=6e-4
    )
    shown = (
        float(face.locator(".ff-fake").inner_text()),
        float(face.locator(".ff-real").inner_text()),
    )
    assert sum(shown) == pytest.approx(1, abs=2e-3)
    assert "p_fake is at or above the high threshold." in face.inner_text()
    said = tab.locator("#answer article").inner_text()
    assert " ms by inception-resnet-v1" in said
    assert "What the file says of itself" in said


def test_the_slider_changes_the_picture(tab: Any, photos: pathlib.Path) -> None:
    judge(tab, photos / "one.jpg")
    stack, slider = tab.locator("#answer .ff-stack"), tab.locator("#answer .ff-blend")

    # nothing may move between the shots: pictures that load make room for themselves
    for picture in tab.locator("#answer img").all():
        picture.evaluate("image => image.decode()")
    slider.scroll_into_view_if_needed()
    tab.wait_for_timeout(500)

    def pixels() -> Any:
        with Image.open(io.BytesIO(stack.screenshot())) as shot:
            return np.asarray(shot.convert("RGB"), np.int16)

    hot = pixels()
    slider.fill("0")
    bare = pixels()
    slider.fill("50")
    half = pixels()
    assert np.abs(hot - bare).mean() > 5
    assert 0.3 < np.abs(half - bare).mean() / np.abs(hot - bare).mean() < 0.7


def test_every_face_of_a_photograph_is_shown(tab: Any, photos: pathlib.Path) -> None:
    judge(tab, photos / "two.jpg")
    assert tab.locator("#answer .ff-face").count() == 2
    assert tab.locator("#answer .ff-mark").all_inner_texts() == ["1", "2"]


def test_a_broken_file_gets_a_message_and_the_others_their_verdict(
    tab: Any, photos: pathlib.Path
) -> None:
    judge(tab, photos / "broken.jpg", photos / "one.jpg")
    assert tab.locator("#answer article").count() == 2
    message = tab.locator("#answer article[data-status=error]").inner_text()
    assert "Not readable" in message
    assert "Nothing was judged" in message
    assert tab.locator("#answer .ff-face").count() == 1


def test_a_name_stays_text(tab: Any, photos: pathlib.Path) -> None:
    judge(tab, photos / "<img src=x onerror=alert(1)>.jpg")
    assert tab.locator("#answer img[src=x]").count() == 0
    assert "onerror" in tab.locator("#answer .ff-name").inner_text()


def test_an_example_is_judged_by_a_click(tab: Any) -> None:
    tab.locator("#examples button").nth(1).click()
    tab.locator("#answer .ff-face").wait_for(timeout=WAIT)
    assert tab.locator("#answer .ff-name").inner_text() == "generated_002.jpg"
    tab.locator("#answer summary").click()
    levels = tab.locator("#answer .ff-ela")
    assert levels.evaluate("image => image.complete && image.naturalWidth") == 1000


def test_without_a_picture_the_page_says_what_to_do(tab: Any) -> None:
    tab.locator("#judge").click()
    tab.get_by_text("no picture; drop one").wait_for(timeout=WAIT)


def test_a_batch_of_20_in_a_zip_has_the_rows_of_a_scan(
    tab: Any, page: Served, tmp_path: pathlib.Path
) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(page.allowed.iterdir()):
            target.write(path, f"holiday/{path.name}")
    tab.get_by_role("tab", name="Batch").click()
    choose(tab, "#zip", archive)
    tab.locator("#scan").click()
    tab.locator("#summary .ff-counts").wait_for(timeout=WAIT)
    with tab.expect_download() as waiting:
        tab.locator("#csv").click()
    found = tmp_path / "page.csv"
    waiting.value.save_as(found)
    wanted = tmp_path / "scan.csv"
    fakeface("scan", page.allowed, "--report", wanted)
    mine, theirs = rows(found), rows(wanted)
    assert len(theirs) == 20
    for a, b in zip(mine, theirs, strict=True):
        assert a["path"].split("__")[-1] == pathlib.Path(b["path"]).name
        a["path"] = b["path"]
    rewritten = tmp_path / "same_paths.csv"
    with open(rewritten, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, mine[0])
        writer.writeheader()
        writer.writerows(mine)
    assert_same(rewritten, wanted)
    assert str(page.temp) not in found.read_text("utf-8")


def test_axe_finds_no_serious_fault(tab: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab.locator("#examples button").first.click()
    tab.locator("#answer .ff-face").first.wait_for(timeout=WAIT)
    for name in ("Images", "Batch", "What it means"):
        tab.get_by_role("tab", name=name).click()
        tab.wait_for_timeout(300)
        faults = axe.run(tab).response["violations"]
        assert [one["id"] for one in faults if one["impact"] in ("serious", "critical")] == []


def test_the_page_says_what_a_score_means_and_how_often_it_is_wrong(tab: Any) -> None:
    tab.get_by_role("tab", name="What it means").click()
    text = tab.locator("#about").inner_text()
    assert "What it must not be used for" in text
    assert "of 1,346" in text  # the small model's card
    assert SMALL in text


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_screen(tab: Any, photos: pathlib.Path, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    judge(tab, photos / "two.jpg")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
