"""Pages are one inert file: whatever a name holds stays text."""

import pathlib
import re

import jinja2
import pytest

from fakefacecli.base.verdicts import Thresholds
from fakefacecli.evaluate.evaluation import ClassCounts, Comparison, DataFacts, ModelFacts
from fakefacecli.figures import html
from fakefacecli.figures.results import Difference, Estimate
from fakefacecli.models.calibration import Calibration
from tests.evaluate.test_run import check_page

HOSTILE = "\"><script>alert('1')</script>{{ 7 * 7 }}"


def comparison(more: Estimate) -> Comparison:
    """Two models of a hostile name that differ by `more` in every measure."""
    thresholds = Thresholds(0.1, 0.9)
    model = ModelFacts(HOSTILE, "0" * 64, "b", Calibration("none"), thresholds, 64, {})
    data = DataFacts("1" * 64, 2, 1, 1, ClassCounts(1, 1), {}, ())
    measures = {name: Difference(0.5, None, more) for name in html.NAMES}
    by_image = {name: Estimate(0.1) for name in measures}
    return Comparison((model, model), data, 2, 50, measures, by_image, (1.0, 2.0))


def test_a_hostile_name_stays_text_in_every_place(tmp_path: pathlib.Path) -> None:
    found = comparison(Estimate(0.2, 0.1, 0.3))
    text = html.render(
        "comparison", HOSTILE, found=found, clustered=HOSTILE, plots={HOSTILE: b"png"}
    )
    (tmp_path / "page.html").write_text(text)
    check_page(tmp_path / "page.html", 1)
    assert "<script" not in text
    assert "49" not in text
    # title, heading, two models, the words on clusters, a picture's alternative text
    assert text.count("&lt;script&gt;alert(&#39;1&#39;)") == 6


@pytest.mark.parametrize(
    ("more", "words", "better"),
    [
        (Estimate(0.2, 0.1, 0.3), "0.200 <small>0.100 to 0.300</small>", "AUC B, Brier score A"),
        (Estimate(-0.2, -0.3, -0.1), "-0.200 <small>-0.300 to", "AUC A, Brier score B"),
        (Estimate(0.2, -0.1, 0.3), "0.200 <small>-0.100 to", ""),
        (
            Estimate(0.0, 0.0, 0.0),
            "0.000</small> <small>(every resample gave the same)</small>",
            "",
        ),
        (Estimate(0.2), "<td>0.200</td>", ""),
        (Estimate(None), "<small>not defined</small>", ""),
    ],
)
def test_a_clear_difference_says_which_model_is_better(
    more: Estimate, words: str, better: str
) -> None:
    text = html.render("comparison", "t", found=comparison(more), clustered="", plots={})
    assert words in text
    rows = {line.split("</td>")[0].removeprefix("<tr><td>"): line for line in text.splitlines()}
    said = [
        f"{name} {side}"
        for name in ("AUC", "Brier score")
        for side in "AB"
        if f"{side} is better" in rows[name]
    ]
    assert ", ".join(said) == better


def test_what_a_page_lacks_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(jinja2.UndefinedError):
        html.render("comparison", "t")


def test_only_sets_with_an_auc_are_shown_beside_the_measures() -> None:
    card = {"same_sources": {"auc": 0.9, "accuracy_at_0.5": 0.8}, "calibrated_on": {"faces": 3}}
    [(head, figures)] = html.card_figures(card).items()
    assert head == "the card: same sources"
    assert (figures["auc"], figures["accuracy"], figures["eer"]) == (0.9, 0.8, "")


def test_a_first_column_keeps_a_width_at_which_words_stay_whole_on_a_phone() -> None:
    text = html.render("comparison", "t", found=comparison(Estimate(0.2)), clustered="", plots={})
    # it may break anywhere, for long paths: without a least width a wide table made it one letter
    assert re.search(r"th:first-child, td:first-child \{ min-width: \d+rem \}", text)
    assert "width=device-width" in text
    assert text.count('<div class="wide"><table>') == text.count("<table>") > 0
