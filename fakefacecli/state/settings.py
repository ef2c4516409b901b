"""All that a verdict depends on besides the image's bytes, as one number."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict

from fakefacecli.base.options import ScanOptions
from fakefacecli.evidence.provenance import lists_of
from fakefacecli.models.judge import AnyCheckpoint

# these do not change what is said of an image; overlays are looked after one by one
_NOT_OF_THE_VERDICT = frozenset({"explain", "overlays", "timeout_s", "since_last"})


def settings_number(
    db: sqlite3.Connection,
    options: ScanOptions,
    checkpoint: AnyCheckpoint,
    versions: Mapping[str, str],
) -> int:
    """The number under which the state knows this model, these options and versions."""
    card = checkpoint.card  # calibration and crop travel in it, so the checkpoint's hash has them
    what = {
        name: value
        for name, value in options.affecting_rows.items()
        if name not in _NOT_OF_THE_VERDICT
    }
    what["thresholds"] = asdict(options.judge.thresholds or card.thresholds)
    what["versions"] = dict(versions)
    lists = lists_of(options.evidence)
    what["lists"] = lists and lists.sha256
    text = json.dumps([checkpoint.sha256, what], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    # the digest decides; the model's name and hash stand there for `fakeface state stats`
    db.execute(
        "INSERT OR IGNORE INTO settings (digest, model, model_sha256) VALUES (?, ?, ?)",
        (digest, card.name, checkpoint.sha256),
    )
    row = db.execute("SELECT id FROM settings WHERE digest = ?", (digest,)).fetchone()
    return int(row[0])
