"""The table of generators: which field, with which words in it, says what made a picture.

The bundled table is generators.toml beside this module, which explains its own form.
"""

import fnmatch
import functools
import hashlib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fakefacecli.base.errors import UsageError
from fakefacecli.base.verdicts import Claim
from fakefacecli.evidence.metadata import Field

BUNDLED = os.path.join(os.path.dirname(__file__), "generators.toml")
CAPTION = "caption"
SEARCHED_CHARS = 1 << 16  # of a value: what programs write begins with what tells
_KEYS = {"field", "pattern", "generator", "claim", "source", "maker"}
_NEEDED = ("field", "pattern", "generator", "source")
_MOST_BYTES = 1 << 20
_VERSION = r"(?: ?(?:v|version )?\d[\w.]*| XL)"
_MADE = r"(?:made|created|generated|rendered|produced|drawn|designed|painted|imagined|edited|art)"
_WAY = r"(?:with|by|using|in|via|on|from)(?: [\w'-]+){0,3}?"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table; `patterns` are searched in the value of a field that fits `fields`.

    `captions` are the same for fields of the group "caption", where the words alone say nothing.
    """

    fields: tuple[str, ...]
    pattern: re.Pattern[str]
    generator: str
    claim: Claim
    source: str
    captions: tuple[str, ...] = ()
    declaring: tuple[re.Pattern[str], ...] = ()

    def search(self, field: Field) -> re.Match[str] | None:
        """Where `field` says what this rule looks for, or None."""
        where = f"{field.place}/{field.name}".lower()
        if _fits(where, self.fields):
            return self.pattern.search(field.value[:SEARCHED_CHARS])
        if _fits(where, self.captions):
            text = field.value[:SEARCHED_CHARS]
            found = (rule.search(text) for rule in self.declaring)
            return next((match for match in found if match), None)
        return None


@dataclass(frozen=True, slots=True)
class Finding:
    """A field that speaks of the picture's origin, the words that do, and the rule."""

    field: Field
    words: str
    rule: Rule


def search(fields: Iterable[Field], rules: Iterable[Rule]) -> Iterator[Finding]:
    """What the fields say by the rules: for each rule its first field."""
    listed = list(fields)
    for rule in rules:
        for field in listed:
            if match := rule.search(field):
                yield Finding(field, match[0] or field.value, rule)
                break


@dataclass(frozen=True, slots=True)
class Table:
    """Rules, the names of groups of fields, and the sha256 of the file they come from."""

    rules: tuple[Rule, ...]
    groups: Mapping[str, tuple[str, ...]]
    sha256: str


@functools.cache
def read_table(more: str | None = None) -> Table:
    """The bundled table, or with it the file `more`, whose rules come first.

    Raises UsageError for a file that cannot be read or is no such table; it names the rule.
    """
    bundled = _read(BUNDLED, {})
    if more is None:
        return bundled
    own = _read(more, bundled.groups)
    return Table((*own.rules, *bundled.rules), own.groups, own.sha256)


def _read(path: str, known: Mapping[str, tuple[str, ...]]) -> Table:
    try:
        with open(path, "rb") as handle:
            data = handle.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UsageError(
                f"{path}: more than {_MOST_BYTES:,} bytes; wanted a table of generators"
            )
        table = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML ({error}); wanted a table of generators") from error
    groups = {**known, **_groups(path, table.get("fields", {}))}
    if unknown := set(table) - {"fields", "rule"}:
        raise UsageError(f"{path}: found '{min(unknown)}'; wanted [fields] and [[rule]] alone")
    found = table.get("rule", [])
    if not isinstance(found, list) or not found:
        raise UsageError(f"{path}: no [[rule]] in it; wanted one or more")
    rules = tuple(_rule(f"{path}, rule {n}", raw, groups) for n, raw in enumerate(found, 1))
    return Table(rules, groups, hashlib.sha256(data).hexdigest())


def _groups(path: str, raw: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(raw, dict):
        raise UsageError(f"{path}: 'fields' is no table; wanted [fields]")
    return {name: _texts(f"{path}, fields, {name}", value) for name, value in raw.items()}


def _rule(where: str, raw: object, groups: Mapping[str, tuple[str, ...]]) -> Rule:
    if not isinstance(raw, dict):
        raise UsageError(f"{where}: not a table; wanted [[rule]]")
    if missing := [key for key in _NEEDED if key not in raw]:
        raise UsageError(f"{where}: no '{missing[0]}'; wanted {', '.join(_NEEDED)}")
    if unknown := set(raw) - _KEYS:
        raise UsageError(
            f"{where}: found '{min(unknown)}'; wanted some of {', '.join(sorted(_KEYS))}"
        )
    names = _texts(where, raw["field"])
    plain = [part for name in names if name != CAPTION for part in groups.get(name, (name,))]
    if bad := [part for part in plain if "/" not in part]:
        known = ", ".join(groups)
        raise UsageError(f"{where}: field '{bad[0]}' found, wanted PLACE/NAME or one of {known}")
    pattern, maker = str(raw["pattern"]), raw.get("maker", False)
    try:
        compiled = re.compile(pattern, re.I)
        # a pattern that says all by itself, such as an identifier, needs no words around it
        alone = CAPTION in names and not _is_name(pattern)
        declaring = (compiled,) if alone else tuple(_declaring(pattern, company=bool(maker)))
        claim = Claim(raw.get("claim", "generated"))
    except re.error as error:
        raise UsageError(
            f"{where}: pattern '{pattern}' is no regular expression ({error})"
        ) from None
    except ValueError:
        found = raw.get("claim")
        raise UsageError(f"{where}: claim '{found}' found, wanted {', '.join(Claim)}") from None
    captions = groups.get(CAPTION, ()) if CAPTION in names else ()
    return Rule(
        tuple(part.lower() for part in plain),
        compiled,
        str(raw["generator"]),
        claim,
        str(raw["source"]),
        tuple(part.lower() for part in captions),
        declaring if CAPTION in names else (),
    )


def _texts(where: str, raw: object) -> tuple[str, ...]:
    found = [raw] if isinstance(raw, str) else raw
    if not isinstance(found, list) or not found or not all(isinstance(x, str) for x in found):
        raise UsageError(f"{where}: '{raw}' found, wanted a text or a list of texts")
    return tuple(found)


def _is_name(pattern: str) -> bool:
    """Whether a pattern is a name or some of them, and not the form of a longer text."""
    return not re.search(r"\\[bdsS]|\{\d", pattern)


def _declaring(pattern: str, *, company: bool) -> Iterator[re.Pattern[str]]:
    """The forms of a caption that says how the picture was made, by what `pattern` names.

    "created with NAME", "NAME generated", "portrait, NAME v6", or the name alone; the last two not
    of a company, which a caption may mention because it is about it.
    """
    name = f"(?:{pattern})"
    yield re.compile(rf"\b{_MADE} {_WAY} {name}", re.I)
    yield re.compile(rf"{name}[ -](?:generated|made|created|rendered)\b", re.I)
    if not company:
        yield re.compile(rf"^\W*{name}{_VERSION}?\W*$", re.I)
        yield re.compile(rf"[,;(\[|] ?{name}{_VERSION}\s?(?:$|[,;)\]|])", re.I)


@functools.lru_cache(maxsize=4096)
def _fits(where: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(where, pattern) for pattern in patterns)
