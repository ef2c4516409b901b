import json
import pathlib
from typing import Any

import pytest
from scipy.stats import binom

import fakefacecli.models
from fakefacecli.reports.error_rates import Rates, expect, rates_of, wrong_share
from fakefacecli.reports.page_data import gather
from tests.reports.made_rows import CARD, HEADER, image, judged, rows_for, usual

WEIGHTS = pathlib.Path(fakefacecli.models.__file__).parent / "weights"


def rates(measured: Any, high: float = 0.9) -> Rates:
    card = {"name": "m", "thresholds": {"low": 0.25, "high": high}, "measured": measured}
    return rates_of(card, HEADER, rows_for(image("a.jpg", judged(0.95))))


def test_sources_never_seen_come_first_and_each_rate_has_its_interval() -> None:
    found = rates(CARD["measured"]).sets
    assert [one.words for one in found] == [
        *("sources never seen", "known sources", "sources never seen: half size"),
    ]
    real, fake = found[0].real, found[0].fake
    assert (real.value, real.faces, fake.value, fake.faces) == (0.01, 1000, 0.4, 500)
    # Clopper and Pearson: at either end what was seen, or more extreme, has a chance of 2.5 %
    for hits, rate in ((10, real), (200, fake)):
        assert binom.sf(hits - 1, rate.faces, rate.low) == pytest.approx(0.025)
        assert binom.cdf(hits, rate.faces, rate.high) == pytest.approx(0.025)
    # of 400 real faces none was flagged: 1 - 0.025 ** (1 / 400)
    assert (found[1].real.low, found[1].real.high) == pytest.approx((0, 0.009180), abs=1e-6)


def test_the_counts_of_generators_are_added_up() -> None:
    found = rates(
        {
            "never_seen_by_generator": {
                "real: photographs": {"n": 300, "above_high": 3, "below_low": 200},
                "fake: one": {"n": 40, "above_high": 10},
                "swap__two": {"n": 10, "flagged": 0},
            }
        }
    ).sets
    assert len(found) == 1
    assert (found[0].real.value, found[0].fake.value) == (0.01, 0.2)


def test_what_calibrate_writes_is_read_and_older_calibrations_are_not() -> None:
    share = {"value": 0.01, "low": 0.0, "high": 0.05}
    own = {"real": 100, "fake": 50, "fpr": share, "tpr": {**share, "value": 0.5}}
    found = rates({"calibrated_on": own, "before this calibration: calibrated_on": own}).sets
    assert [one.name for one in found] == ["calibrated_on"]
    assert (found[0].real.value, found[0].fake.value) == (0.01, 0.5)


@pytest.mark.parametrize(
    "measured",
    [
        {},
        {"a": 3, "b": "text", "c": [1]},
        {"a": {"real": 10, "fake": 10, "flagged_real": float("nan"), "flagged_fake": 0.5}},
        {"a": {"real": -1, "fake": 10, "flagged_real": 0.1, "flagged_fake": 0.5}},
        {"a": {"real": 10, "fake": 10, "flagged_real": 2, "flagged_fake": 0.5}},
        {"a": {"real: x": {"n": 3, "flagged": 4}, "fake: y": {"n": 3, "flagged": 1}}},
        {"a": {"real: x": {"n": 3, "flagged": 1}}},
        "no mapping",
    ],
)
def test_a_card_of_another_form_gives_no_rates_and_says_so(measured: Any) -> None:
    found = rates(measured)
    assert found.sets == ()
    assert found.why_none == "The model's card does not say how often it is wrong."


def test_rates_do_not_hold_for_other_thresholds_than_the_cards() -> None:
    found = rates(CARD["measured"], high=0.8)
    assert found.sets == () and "other thresholds" in found.why_none


def test_nothing_is_known_without_a_card(tmp_path: pathlib.Path) -> None:
    found = rates_of({}, {}, usual(tmp_path))
    assert found.sets == () and "Nothing is known" in found.why_none
    assert expect(found, gather(usual(tmp_path)).counts, 0.01) is None


def test_an_uncalibrated_model_is_known_by_its_card_or_the_header() -> None:
    none = {"calibration": {"method": "none"}}
    assert not rates_of({**CARD, **none}, {}, []).calibrated
    assert not rates_of({}, {"model": none}, []).calibrated
    assert rates_of(CARD, HEADER, []).calibrated


def test_the_rarer_fakes_are_the_more_flags_are_wrong() -> None:
    shares = [wrong_share(part, 0.01, 0.4) for part in (0.001, 0.01, 0.1, 0.5)]
    assert shares == pytest.approx([0.9615, 0.7122, 0.1837, 0.0244], abs=1e-4)
    assert wrong_share(0.01, 0.0, 0.0) == 1.0


def test_the_outlook_counts_the_flags_of_the_run(tmp_path: pathlib.Path) -> None:
    rows = usual(tmp_path)
    found = expect(rates_of(CARD, HEADER, rows), gather(rows).counts, 0.01)
    assert found is not None
    assert (found.flagged, found.faces) == (2, 8)
    assert found.wrong == pytest.approx(2 * 0.7122, abs=1e-3)
    assert found.wrong_low < found.wrong < found.wrong_high <= 2
    assert found.expected == pytest.approx(8 * (0.99 * 0.01 + 0.01 * 0.4))
    assert not found.many


def test_clearly_more_flags_than_expected_are_noticed() -> None:
    rows = rows_for(*(image(f"{n}.jpg", judged(0.95)) for n in range(8)))
    found = expect(rates_of(CARD, HEADER, rows), gather(rows).counts, 0.01)
    assert found is not None and found.many


def test_the_card_of_the_bundled_judge_states_rates() -> None:
    (path,) = WEIGHTS.glob("*.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    rows = rows_for(image("a.jpg", judged(0.95)))
    rows[0]["threshold_high"] = card["thresholds"]["high"]
    best = rates_of(card, {}, rows).sets[0]
    assert best.name == "sources_never_seen"
    assert (best.real.faces, best.fake.faces) == (711, 594)
    assert best.real.value == pytest.approx(0.0084, abs=1e-4)
