"""What people see of a training: bars while it works, one table row for each epoch."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.table import Table

from fakefacecli.base.options import Progress
from fakefacecli.cli.console import complain

if TYPE_CHECKING:
    from fakefacecli.train.log import Epoch

_COLUMNS = ("epoch", "rate", "loss", "val loss", "val AUC", "val acc", "frozen", "s", "")
# fixed, because each epoch's row is a table of its own, printed when the epoch ends
_WIDTHS = (5, 8, 7, 8, 8, 8, 6, 6, 4)


class Screen:
    """Bars and tables on stderr; nothing but errors when `quiet`."""

    def __init__(self, progress: Progress, quiet: bool):
        # auto: a bar in a log file would be thousands of lines
        wanted = progress is Progress.ON or (progress is Progress.AUTO and sys.stderr.isatty())
        self.quiet = quiet
        self.bars = wanted and not quiet
        self.bar: Any = None
        self.headed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def say(self, line: str) -> None:
        """One line on stderr."""
        if not self.quiet:
            self._close()
            complain(line)

    def images(self, done: int, of: int) -> None:
        """Images read so far."""
        self._show(done, of, "faces", "img")

    def step(self, done: int, of: int, loss: float) -> None:
        """Batches learnt from in this epoch."""
        self._show(done, of, "epoch", "batch")
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)

    def epoch(self, epoch: "Epoch") -> None:
        """A finished epoch's row; the table's head comes with the first."""
        self._close()
        if self.quiet:
            return
        table = Table(box=None, show_header=not self.headed, pad_edge=False)
        for name, width in zip(_COLUMNS, _WIDTHS, strict=True):
            table.add_column(name, justify="right", min_width=width, max_width=width)
        table.add_row(
            str(epoch.number),
            f"{epoch.rate:.1e}",
            f"{epoch.train_loss:.4f}",
            f"{epoch.val_loss:.4f}",
            f"{epoch.auc:.4f}",
            f"{epoch.accuracy:.4f}",
            str(epoch.frozen),
            f"{epoch.seconds:.1f}",
            "best" if epoch.best else "",
        )
        self.headed = True
        # a width of its own, so that rows stay in line when the terminal changes its
        Console(stderr=True, highlight=False, width=100).print(table)

    def _show(self, done: int, of: int, words: str, unit: str) -> None:
        if not self.bars:
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(
                total=of, desc=words, unit=unit, file=sys.stderr, dynamic_ncols=True, leave=False
            )
        self.bar.update(done - self.bar.n)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
