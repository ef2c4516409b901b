#!/usr/bin/env bash
# The tests and figures that need a GPU, in under five minutes, from a checkout:
#
#     bash tests/bench/gpu.sh PHOTOS [WHEELS]
#
# WHEELS is a folder of wheels for a machine without a network: fakeface with its dependencies, and
# pytest, pytest-timeout and pytest-xdist; nvidia-nvimgcodec-cu13[nvjpeg] if it is there. Without it the Python that is found has them already.
# Figures go to $OUT, or to the folder it is started in. DEVICE=cpu and FILES=N try the script
# itself on a machine without a GPU.
set -euo pipefail

photos=${1:?name a folder of photographs}
wheels=${2:-}
out=${OUT:-$PWD}
device=${DEVICE:-cuda}
photos=$(cd "$photos" && pwd)
[ -z "$wheels" ] || wheels=$(cd "$wheels" && pwd)
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
if [ -n "$wheels" ]; then
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
    "$python" -m venv --system-site-packages "$place/venv"
    python=$place/venv/bin/python
    "$python" -m pip install --quiet --no-index --find-links "$wheels" \
        fakefacecli pytest pytest-timeout pytest-xdist
    "$python" -m pip install --quiet --no-index --find-links "$wheels" \
        "nvidia-nvimgcodec-cu13[nvjpeg]" || echo "nvImageCodec is not among the wheels"
fi

failed=0
# the slower half last, so that the tests have answered when time runs out
timeout 90 "$python" -m pytest -m gpu -n 0 -q || failed=$?
[ "$failed" -ne 5 ] || failed=0 # no test was selected
timeout 165 "$python" -m tests.bench.gpu "$photos" --device "$device" \
    --files "${FILES:-1000}" --demo-files "${DEMO_FILES:-60}" --json "$out/gpu.json" || failed=$?
# whether nvImageCodec decodes to pictures with the same scores; says so where it is not installed
timeout 40 "$python" -m tests.bench.decoders "$photos" --only nvimgcodec --limit 40 || failed=$?
exit "$failed"
