"""The scripts of the page about clusters do what it says, run as they stand there."""

import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest
import yaml

from tests.builders import PHOTOS, ROOT, put
from tests.command import SMALL, assert_same, fakeface
from tests.remote.conftest import Bucket

PAGE = (ROOT / "fakefacecli" / "docs" / "cluster.md").read_text("utf-8")
PARTS = 2


def blocks(heading: str) -> list[str]:
    """The code of a section, block by block."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", section, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") + "\n" for block in found]


@pytest.fixture
def shell(tmp_path: pathlib.Path) -> dict[str, str]:
    """An environment with a `fakeface` that takes the small model."""
    command = tmp_path / "bin" / "fakeface"
    command.parent.mkdir()
    command.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = scan ] && {{ shift; set -- scan --model {SMALL} "$@"; }}\n'
        f'exec {sys.executable} -m fakefacecli "$@"\n'
    )
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "SCRATCH": str(tmp_path)}


def run(script: str, env: dict[str, str]) -> None:
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True,
                          check=False, timeout=200)  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_slurm_scripts_join_to_the_report_of_the_whole(
    tmp_path: pathlib.Path, shell: dict[str, str]
) -> None:
    for number in range(5):
        put(tmp_path / "in" / f"{number}.jpg", 200 + number)
    script, submit = (
        block.replace(". /opt/fakeface/bin/activate", ":").replace("/data/photos", f"{tmp_path}/in")
        for block in blocks("Slurm")
    )
    for task in range(PARTS):
        of_task = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": PARTS}
        more = {k: str(v) for k, v in of_task.items()} | {"SLURM_CPUS_PER_TASK": "1"}
        run(script, shell | more)
    (wrapped,) = re.findall(r"--wrap '(.*)'", submit)
    run(wrapped, shell)
    fakeface("scan", tmp_path / "in", "--report", tmp_path / "plain.csv")
    fakeface("report", tmp_path / "whole.parquet", "--to", tmp_path / "whole.csv")
    assert_same(tmp_path / "whole.csv", tmp_path / "plain.csv")


@pytest.mark.slow
def test_the_kubernetes_job_joins_to_the_report_of_the_whole(
    bucket: Bucket, tmp_path: pathlib.Path, shell: dict[str, str]
) -> None:
    for number, photo in enumerate(sorted(PHOTOS.iterdir())[:3]):
        bucket.put(f"uploads/{number}.jpg", photo.read_bytes())
    bucket.put("uploads/broken.jpg", b"no picture")
    job, last = blocks("Kubernetes")
    spec = yaml.safe_load(job)["spec"]
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", spec["parallelism"])
    (container,) = spec["template"]["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"]}
    assert int(given["PARTS"]) == spec["completions"]
    assert container["command"] == ["bash", "-c"]
    (script,) = (text.replace("s3://bucket/", bucket.url()) for text in container["args"])
    for index in range(PARTS):
        run(script, shell | {"PARTS": str(PARTS), "JOB_COMPLETION_INDEX": str(index)})
    join = last.splitlines()[-1].replace("s3://bucket/", bucket.url())
    run(join.replace(f"{{1..{spec['completions']}}}", f"{{1..{PARTS}}}"), shell)
    (tmp_path / "whole.parquet").write_bytes(bucket.get("whole.parquet"))
    fakeface("report", tmp_path / "whole.parquet", "--to", tmp_path / "whole.csv")
    fakeface("scan", bucket.url("uploads"), "--report", tmp_path / "plain.csv")
    assert_same(tmp_path / "whole.csv", tmp_path / "plain.csv")
