"""What reports, journals and states keep of the options: it must read the same in every version."""

import json

from fakefacecli.base.described import described
from fakefacecli.base.options import (
    DecodeOptions,
    Explain,
    JudgeOptions,
    Precision,
    ReportTarget,
    ScanOptions,
    SourceOptions,
)
from fakefacecli.base.verdicts import FailOn, Label, Thresholds

EVERY = ScanOptions(
    source=SourceOptions(
        paths=("in", "b\x1b.jpg"),
        listed=("c.jpg",),
        recursive=False,
        include=("*.jpg", "*.png"),
        exclude=("old",),
        follow_symlinks=True,
        never=("shown",),
    ),
    reports=(ReportTarget("out.csv", "csv"), ReportTarget("-", "jsonl")),
    overlays="shown",
    explain=Explain.ALL,
    copy_flagged="copies",
    judge=JudgeOptions("m.safetensors", Thresholds(0.25, 0.75), 50, "cpu", Precision.FP32, 8),
    decode=DecodeOptions(workers=3, timeout_s=2.5, max_pixels=1000),
    fail_on=frozenset({FailOn.FLAGGED, FailOn.INCONCLUSIVE}),
    resume=True,
    state="state.db",
    verify_hash=True,
    since_last=True,
    list_skipped="skipped.csv",
    csv_bom=True,
)
DEFAULT = ScanOptions(SourceOptions(("in",)))


def test_a_reports_header_shows_every_option_in_one_flat_object() -> None:
    assert json.dumps(described(EVERY)) == (
        r'{"paths": ["in", "b\u001b.jpg"], "listed": 1, "recursive": false, '
        '"include": ["*.jpg", "*.png"], "exclude": ["old"], "follow_symlinks": true, '
        '"shard": null, '
        '"reports": ["out.csv", "-"], "overlays": "shown", "explain": "all", '
        '"copy_flagged": "copies", "model": "m.safetensors", '
        '"thresholds": {"low": 0.25, "high": 0.75}, "min_face_px": 50, "device": "cpu", '
        '"precision": "fp32", "batch_size": 8, "early_exit": false, "detector": "both", '
        '"turns": "auto", "workers": 3, "timeout_s": 2.5, '
        '"max_pixels": 1000, "frames": "sample", '
        '"fail_on": ["flagged", "inconclusive"], "provenance": true, "trust_list": null, '
        '"generators": null, "stability": "flagged", "known": [], "resume": true, '
        '"state": "state.db", "verify_hash": true, "since_last": true, '
        '"list_skipped": "skipped.csv", "csv_bom": true, "max_memory": null, '
        '"contact_sheet": null, "manifest": null, "redact_paths": false, '
        '"engine": "local", "ray_address": null, "actors": null, "gpus_per_actor": null}'
    )
    assert json.dumps(described(DEFAULT)) == (
        '{"paths": ["in"], "listed": 0, "recursive": true, "include": [], "exclude": [], '
        '"follow_symlinks": false, "shard": null, '
        '"reports": [], "overlays": null, "explain": "flagged", '
        '"copy_flagged": null, "model": "fakeface-judge-2026.11", "thresholds": null, '
        '"min_face_px": 40, "device": "auto", "precision": "auto", "batch_size": null, '
        '"early_exit": false, "detector": "both", '
        '"turns": "auto", "workers": 2, "timeout_s": 10.0, "max_pixels": 100000000, '
        '"frames": "sample", "fail_on": [], "provenance": true, "trust_list": null, '
        '"generators": null, "stability": "flagged", "known": [], '
        '"resume": false, "state": null, "verify_hash": false, "since_last": false, '
        '"list_skipped": null, "csv_bom": false, "max_memory": null, '
        '"contact_sheet": null, "manifest": null, "redact_paths": false, '
        '"engine": "local", "ray_address": null, "actors": null, "gpus_per_actor": null}'
    )


def test_an_older_versions_journal_and_state_know_the_same_options_again() -> None:
    assert json.dumps(EVERY.affecting_rows) == (
        '{"decoding": 2, "detector": "both", "early_exit": false, '
        '"explain": "all", "frames": "sample", '
        '"max_pixels": 1000, "min_face_px": 50, "overlays": "shown", '
        '"precision": "fp32", "provenance": true, "redact_paths": false, '
        '"since_last": true, "stability": "flagged", '
        '"thresholds": [0.25, 0.75], "timeout_s": 2.5, '
        '"turns": "auto"}'
    )
    assert json.dumps(DEFAULT.affecting_rows) == (
        '{"decoding": 2, "detector": "both", "early_exit": false, '
        '"explain": "none", "frames": "sample", '
        '"max_pixels": 100000000, "min_face_px": 40, "overlays": null, '
        '"precision": "auto", "provenance": true, "redact_paths": false, '
        '"since_last": false, "stability": "flagged", '
        '"thresholds": null, "timeout_s": 10.0, '
        '"turns": "auto"}'
    )


def test_explain_covers_a_label_and_those_that_are_more_serious() -> None:
    covered = {how: {label for label in Label if how.covers(label)} for how in Explain}
    assert covered == {
        Explain.FLAGGED: {Label.FLAGGED},
        Explain.INCONCLUSIVE: {Label.FLAGGED, Label.INCONCLUSIVE},
        Explain.ALL: set(Label),
        Explain.NONE: set(),
    }
