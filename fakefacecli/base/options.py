"""Every flag of a run, typed, with its default; built once in cli/ and passed whole."""

from dataclasses import dataclass, field
from enum import StrEnum

from fakefacecli.base.shard import Shard
from fakefacecli.base.verdicts import FailOn, Label, Thresholds

# JSON Lines is the default on stdout: one row per line, readable before the run ends
STREAM_FORMATS = ("csv", "json", "jsonl")
# the others are whole files that other programs open: they cannot be written piece by piece
REPORT_FORMATS = (*STREAM_FORMATS, "html", "parquet", "sqlite")
DEFAULT_MODEL = "fakeface-judge-2026.11"
DEFAULT_NETWORK = "inception-resnet-v1"  # for what takes a single network
# How files become pixels: 2 applies colour profiles, and turns by EXIF alone. What was judged under
# another number is judged again
DECODING = 2


class Explain(StrEnum):
    """Which faces get a Grad-CAM overlay; inconclusive: those as well as the flagged ones."""

    FLAGGED = "flagged"
    INCONCLUSIVE = "inconclusive"
    ALL = "all"
    NONE = "none"

    def covers(self, label: Label) -> bool:
        """Whether a face of this label gets one."""
        if self in (Explain.ALL, Explain.NONE):
            return self is Explain.ALL
        return label is Label.FLAGGED or str(label) == str(self)


class Progress(StrEnum):
    """Whether a progress bar is drawn on stderr; auto: only on a terminal."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Frames(StrEnum):
    """Which pictures of a file that holds several are judged; a sample follows the shown time."""

    FIRST = "first"
    SAMPLE = "sample"
    ALL = "all"


class Detectors(StrEnum):
    """Which detectors look for faces: MTCNN alone, or CenterFace as well, for what it misses."""

    MTCNN = "mtcnn"
    BOTH = "both"


class Turns(StrEnum):
    """Whether faces are also looked for in the picture turned by quarters; auto: in doubt."""

    AUTO = "auto"
    NEVER = "never"
    ALWAYS = "always"


class Stability(StrEnum):
    """Which faces are judged again after small changes of their pixels."""

    OFF = "off"
    FLAGGED = "flagged"
    ALL = "all"


class EngineName(StrEnum):
    """Who judges: this machine, or the workers of a Ray cluster."""

    LOCAL = "local"
    RAY = "ray"


class Projection(StrEnum):
    """How vectors are laid out in the plane; auto: UMAP where it is installed, else t-SNE."""

    AUTO = "auto"
    UMAP = "umap"
    TSNE = "tsne"
    PCA = "pca"


class Colour(StrEnum):
    """What the colours of a map mean."""

    LABEL = "label"
    GROUP = "group"
    VERDICT = "verdict"


class Precision(StrEnum):
    """What networks judge faces in; auto: bfloat16 where it was measured and the device has it."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """One `--report`: a file, or "-" for stdout, in one of REPORT_FORMATS; `bom` marks a CSV.

    Where `path` is a URL, `staged` is the file here in which it is made.
    """

    path: str
    format: str
    bom: bool = False
    staged: str = ""

    @property
    def file(self) -> str:
        """The file here that is written."""
        return self.staged or self.path

    @property
    def is_stdout(self) -> bool:
        """Whether the report goes to stdout."""
        return self.path == "-"

    @property
    def is_text(self) -> bool:
        """Whether the report is text that can be written piece by piece."""
        return self.format in STREAM_FORMATS


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which files are inputs. `listed` are the entries of --files-from, `paths` the arguments."""

    paths: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    recursive: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    shard: Shard | None = None
    never: tuple[str, ...] = ()  # folders of the run's own output: they are never inputs


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """The model that judges faces, and the device it runs on.

    `thresholds` are the model's own when None. Faces under `min_face_px` (pixels of the longer
    side) are not looked for; `batch_size` counts images, and None is what suits the device. With
    `early_exit` a judge's costly networks are asked only where the others leave the verdict open.
    """

    model: str = DEFAULT_MODEL
    thresholds: Thresholds | None = None
    min_face_px: int = 40
    device: str = "auto"
    precision: Precision = Precision.AUTO
    batch_size: int | None = None
    early_exit: bool = False
    detector: Detectors = Detectors.BOTH
    turns: Turns = Turns.AUTO


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How many processes decode files, and what a file may cost: seconds and pixels.

    Both count over all `frames` of a file that are judged.
    """

    workers: int = 2
    timeout_s: float = 10.0
    max_pixels: int = 100_000_000
    frames: Frames = Frames.SAMPLE


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """What is looked at beside the score of a face, and the lists that say what is known.

    `trust_list` (PEM) names signers, `generators` (TOML) adds to the bundled table, `known` lists
    hashes of pictures.
    """

    provenance: bool = True
    trust_list: str | None = None
    generators: str | None = None
    stability: Stability = Stability.FLAGGED
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where faces are judged, or networks trained; no row depends on it.

    `ray_address` is that of a cluster, "auto" of the one that this machine belongs to; without one
    Ray is started here for the run. `actors` are its workers (None: as many as there is room for),
    each with `gpus_per_actor` GPUs (None: one, where there are any).
    """

    engine: EngineName = EngineName.LOCAL
    ray_address: str | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """One `fakeface scan`."""

    source: SourceOptions
    reports: tuple[ReportTarget, ...] = ()
    overlays: str | None = None
    explain: Explain = Explain.FLAGGED
    copy_flagged: str | None = None
    judge: JudgeOptions = JudgeOptions()
    decode: DecodeOptions = DecodeOptions()
    fail_on: frozenset[FailOn] = field(default_factory=frozenset)
    evidence: EvidenceOptions = EvidenceOptions()
    resume: bool = False
    state: str | None = None
    verify_hash: bool = False
    since_last: bool = False
    list_skipped: str | None = None
    csv_bom: bool = False
    max_memory: int | None = None  # bytes; None: a quarter of what is there
    contact_sheet: str | None = None
    manifest: str | None = None
    redact_paths: bool = False
    engine: EngineOptions = EngineOptions()

    @property
    def page_folder(self) -> str | None:
        """Where the pictures of an HTML report wait for it, where no --overlays folder has them."""
        pages = (target.file for target in self.reports if target.format == "html")
        page = None if self.overlays else next(pages, None)
        return page and f"{page}.pictures"

    @property
    def pictures(self) -> str | None:
        """The folder that overlays are saved in, if any are."""
        return self.overlays or self.page_folder

    @property
    def affecting_rows(self) -> dict[str, object]:
        """The options that can change a row; two runs that differ here may differ in rows."""
        # an interrupted run can only be resumed with the same ones, see run._journal_head
        thresholds = self.judge.thresholds
        return {
            "decoding": DECODING,
            "detector": str(self.judge.detector),
            "early_exit": self.judge.early_exit,
            "explain": str(self.explain) if self.pictures else "none",
            "frames": str(self.decode.frames),
            "max_pixels": self.decode.max_pixels,
            "min_face_px": self.judge.min_face_px,
            "overlays": self.pictures,
            "precision": str(self.judge.precision),
            "provenance": self.evidence.provenance,
            "redact_paths": self.redact_paths,
            "since_last": self.since_last,
            "stability": str(self.evidence.stability),
            "thresholds": thresholds and [thresholds.low, thresholds.high],
            "timeout_s": self.decode.timeout_s,
            "turns": str(self.judge.turns),
        }
