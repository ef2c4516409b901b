"""How many images a device judges at once, and how many batches side by side."""

from dataclasses import dataclass

from fakefacecli.scan.pipeline import MOST_PIXELS

ON_CPU = 16
# of a GPU's memory for an image of 3 megapixels: table, canvas and what the networks make of it
_BYTES_OF_IMAGE = 250_000_000
_MOST_PIXELS_ON_GPU = 400_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """`batch_size` images of `most_pixels` at most are at work at a time, of all `lanes`."""

    lanes: int
    batch_size: int
    most_pixels: int = MOST_PIXELS


ONE_BY_ONE = Sizes(1, 1)


def sizes_for(device: str, batch_size: int | None) -> Sizes:
    """What suits torch's `device`; `batch_size` is None if nobody says."""
    import torch

    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        number = batch_size or fitting_batch(free)
        # one lane finds faces on the GPU while the other cuts them out or writes
        return Sizes(min(2, number), number, _MOST_PIXELS_ON_GPU)
    number = batch_size or ON_CPU
    if device != "cpu":
        return Sizes(1, number)
    # one lane per core, but at least four images in each: small batches cost more per face
    return Sizes(max(1, min(torch.get_num_threads(), number // 4)), number)


def fitting_batch(free: int) -> int:
    """Images at once for so many bytes of a GPU's free memory: 16 to 256, in steps of 16."""
    return max(16, min(256, free // _BYTES_OF_IMAGE // 16 * 16))
