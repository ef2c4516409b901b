"""The loop of the original demo page, one photograph at a time, which against_demo.py measures.

facenet-pytorch's MTCNN looks for faces of 20 px and more at its own thresholds; each one found is
cut out at 160 px without post-processing, enlarged to 256 px and judged alone by InceptionResnetV1
with one logit. (The page judged the first face of a photograph; here it is all of them, as in a
scan.) The weights are random: the time does not depend on them.
"""

import json
import os
import sys
import time
from collections.abc import Sequence

from fakefacecli.base.child import die_with

SIDE_PX = 256


def run(paths: Sequence[str], device: str) -> dict[str, float]:
    """Images and faces judged, and the seconds that took; importing and a warm-up left out."""
    import torch
    from facenet_pytorch import MTCNN, InceptionResnetV1
    from PIL import Image
    from torch.nn.functional import interpolate

    finder = MTCNN(select_largest=False, post_process=False, keep_all=True, device=device)
    judge = InceptionResnetV1(pretrained=None, classify=True, num_classes=1).to(device).eval()

    def one(path: str) -> int:
        """How many faces were judged; the demo page showed an error and went on."""
        try:
            with Image.open(path) as picture:
                found = finder(picture.convert("RGB"))
        except Exception:  # noqa: BLE001
            return 0
        faces = [] if found is None else list(found)
        for face in faces:
            pixels = interpolate(face[None], size=(SIDE_PX, SIDE_PX), mode="bilinear") / 255
            with torch.no_grad():
                torch.sigmoid(judge(pixels.to(device))).item()
        return len(faces)

    one(paths[0])
    began = time.perf_counter()
    faces = sum(map(one, paths))
    return {"images": len(paths), "faces": faces, "seconds": time.perf_counter() - began}


def main() -> None:
    """Read paths, each ended by NUL, from stdin; print what `run` gives as one line of JSON.

    Arguments: the device, and the process to end with.
    """
    die_with(int(sys.argv[2]))
    paths = [os.fsdecode(path) for path in sys.stdin.buffer.read().split(b"\0") if path]
    sys.stdout.write(json.dumps(run(paths, sys.argv[1])) + "\n")
