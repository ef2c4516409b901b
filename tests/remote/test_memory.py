import json
import subprocess
import sys

import pytest

from tests.builders import ROOT

IMAGES = 20_000
GROWTH_MB = 3.0  # by the second tenth all is loaded; a name and a hash of each would be some 4 MB


@pytest.mark.slow
def test_the_memory_of_the_scan_does_not_grow_with_the_number_of_objects() -> None:
    command = [sys.executable, "-m", "tests.bench.refs", "--images", str(IMAGES)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["images"] == IMAGES
    tenths = said["megabytes_at_tenths"]
    assert tenths[-1] - tenths[1] < GROWTH_MB, tenths
