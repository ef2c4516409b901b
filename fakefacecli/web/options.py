"""What the page may do: its address, its models, its limits."""

from dataclasses import dataclass, field

from fakefacecli.base.options import DEFAULT_MODEL, JudgeOptions

MOST_IMAGES = 20  # judged at once on the first tab
MOST_FACES = 40  # shown of one answer: each has two pictures of its own


@dataclass(frozen=True, slots=True)
class Login:
    """Who may open the page; `password` is compared in constant time."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class PageOptions:
    """One `fakeface ui`.

    `models` are those to choose from, the first one at first. Sizes are bytes: of one uploaded
    file, and of all that lie in the page's folder. `folders` are the real paths of those that the
    batch tab may scan.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    login: Login | None = None
    folders: tuple[str, ...] = ()
    models: tuple[str, ...] = (DEFAULT_MODEL,)
    judge: JudgeOptions = field(default_factory=JudgeOptions)
    most_upload: int = 200 << 20
    most_stored: int = 4 << 30
    most_batch: int = 1000
