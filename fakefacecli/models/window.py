"""Windows: which square of a photograph a face is, and how cards say so."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.errors import ModelRefused
from fakefacecli.models.calibration import finite

# a square around the box, or the box itself, whose sides are stretched to a square
SIDES = ("longer side of the detector's box", "each side of the detector's box")
# a window of which more lies outside the photograph is not to be judged: what the networks see
# there are repeated edge pixels
MOST_OUTSIDE = 0.2
_KNOWN = {"side": SIDES[0], "centre": "centre of the box", "outside": "edge pixels repeated"}


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Which square is cut out of a photograph for a face, around the centre of its box.

    Its side is `span` times the longer side of the box. Where the line between the eyes is turned
    by `level_from` to `level_to` degrees, either way, the square is turned level. One of more than
    `most_px` pixels is reduced to that (0: never). A face that is turned further, or whose window
    lies outside the photograph by more than the share `most_outside`, is not to be judged.
    """

    span: float
    level_from: float = math.inf
    level_to: float = math.inf
    most_px: int = 0
    most_outside: float = 1.0
    # the corner is that of the square before its side is rounded; where nothing is turned level it
    # always is
    exact_corner: bool = False

    @property
    def levels(self) -> bool:
        """Whether faces are turned level at all."""
        return self.level_from < math.inf

    def facts(self) -> dict[str, object]:
        """The JSON object that `read_window` reads back as this rule."""
        return {
            "span": self.span,
            **_KNOWN,
            "level_from_degrees": self.level_from if self.levels else None,
            "level_to_degrees": self.level_to if self.levels else None,
            "most_px": self.most_px,
        }

    def words(self) -> str:
        """The rule in a line for people."""
        if not self.levels:
            return f"{self.span} x {SIDES[0]}, at most {self.most_px} px"
        level = f"turned level from {self.level_from:g} to {self.level_to:g} degrees"
        return f"{self.span} x {SIDES[0]}, {level}, at most {self.most_px} px"


# what the bundled judge's members see faces in; `FLAT_WINDOW` is the same without turning
LEVEL_WINDOW = WindowRule(1.8, 8.0, 60.0, most_px=614, most_outside=MOST_OUTSIDE)
FLAT_WINDOW = WindowRule(1.8, most_px=614, most_outside=MOST_OUTSIDE)


def window_of_network(span: float, most_px: int = 0) -> WindowRule:
    """The window of a single network whose card has no rule; `span` times the box, as WindowRule.

    It is turned level from the same angle on, and to the same, as those of the bundled judge.
    Measured on InceptionResnetV1 and 16 flagged portraits, turned by 20 degrees either way: 13 and
    10 stay flagged when levelled and none is cleared; else 2 and 1 stay, and 7 and 9 are cleared.
    """
    level = LEVEL_WINDOW
    return WindowRule(span, level.level_from, level.level_to, most_px, MOST_OUTSIDE, True)


def read_window(raw: Mapping[str, Any], where: str) -> WindowRule:
    """The rule of a card's "window"; `where` names the file in errors.

    Raises ModelRefused for what this version does not know and for numbers out of range, KeyError,
    TypeError or ValueError for what is missing or malformed.
    """
    for key, wanted in _KNOWN.items():
        check_known(where, key, raw[key], (wanted,))
    # a card of windows that are never turned names no angle
    angles = raw["level_from_degrees"], raw["level_to_degrees"]
    low, high = (math.inf, math.inf) if angles == (None, None) else map(finite, angles)
    rule = WindowRule(finite(raw["span"]), low, high, int(raw["most_px"]), MOST_OUTSIDE)
    ranges = [("span", rule.span, 0.1, 10), ("most_px", rule.most_px, 16, 10_000)]
    if rule.levels:
        ranges += [
            ("level_from_degrees", rule.level_from, 0, 180),
            ("level_to_degrees", rule.level_to, rule.level_from, 180),
        ]
    for key, value, least, most in ranges:
        if not least <= value <= most:
            raise ModelRefused(f"{where}: it says {key} {value}, wanted {least:g}..{most:g}")
    return rule


def check_known(where: str, key: str, found: Any, known: tuple[Any, ...]) -> Any:
    """`found` if it is among `known`, else ModelRefused: a convention of a newer version."""
    # True equals 1, which is a known value of `levels`
    if found not in known or isinstance(found, bool):
        wanted = " or ".join(map(repr, known))
        raise ModelRefused(
            f"{where}: its card says {key} {found!r}, this version knows only {wanted}; "
            "a newer fakeface may read it"
        )
    return found
