"""The pool: order, and what a file can and cannot do to its neighbours and to the scan."""

import ctypes
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from fakefacecli.base.errors import FakeFaceError
from fakefacecli.base.memory import DECODING_BYTES, Memory
from fakefacecli.base.records import DecodedImage, ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.decode import keeper, wire
from fakefacecli.decode.image import DecodeLimits, read_image
from fakefacecli.decode.pool import WorkerDecoder
from tests import bad_files, builders

FAULTY = f"{__name__}:faulty"
PHOTOS = sorted(builders.PHOTOS.iterdir())


def faulty(ref: ImageRef, limits: DecodeLimits) -> object:
    """Runs in a worker: does what the ref's name says."""
    fault = ref.name.partition(" ")[0]
    if fault in FAULTS:
        return FAULTS[fault](ref)
    if fault == "read":
        return read_image(ref, limits)
    return plain(ref, int(fault or 4))


def plain(ref: ImageRef, side: int = 4) -> DecodedImage:
    return DecodedImage(ref, np.full((side, side, 3), ref.index % 251, np.uint8))


def _hang(ref: ImageRef) -> object:
    threading.Event().wait()
    return ref


def _hang_in_c(ref: ImageRef) -> object:
    ctypes.PyDLL(None).sleep(1000)  # keeps the GIL
    return ref


def _raise(ref: ImageRef) -> object:
    raise LookupError(ref)


def _eat(ref: ImageRef) -> object:
    return [np.empty(1 << 27, np.uint8) for _ in range(1000)]


def _print(ref: ImageRef) -> object:
    os.write(1, b"noise" * 500_000)
    os.write(2, b"noise" * 500_000)
    return plain(ref)


def _close_everything(ref: ImageRef) -> object:
    os.closerange(3, 100)
    threading.Event().wait()
    return ref


def _lie_about_size(ref: ImageRef) -> object:
    image = plain(ref, 4)
    object.__setattr__(image, "pixels", np.zeros((4, 5000, 3), np.uint8)[:, :, :1])
    return image


def _die_sending(ref: ImageRef) -> object:
    header = wire.packed(wire.answer_header(plain(ref, 100)))
    for kept in gc.get_objects():
        if isinstance(kept, socket.socket):
            kept.sendall(header)
            os._exit(3)
    return ref


def _modules(ref: ImageRef) -> object:
    loaded = {"torch", "facenet_pytorch", "pandas", "typer", "rich"} & set(sys.modules)
    return Unreadable(ref, ErrorCode.EMPTY, ",".join(sorted(loaded)))


def _surroundings(ref: ImageRef) -> object:
    blocked = [signal.getsignal(number).name for number in (signal.SIGINT, signal.SIGTERM)]
    return Unreadable(ref, ErrorCode.EMPTY, f"{blocked} {'' in sys.path}")


FAULTS: dict[str, Callable[[ImageRef], object]] = {
    "hang": _hang,
    "hang_in_c": _hang_in_c,
    "raise": _raise,
    "eat": _eat,
    "print": _print,
    "close": _close_everything,
    "lie": _lie_about_size,
    "die_sending": _die_sending,
    "modules": _modules,
    "surroundings": _surroundings,
    "segfault": lambda ref: ctypes.string_at(0),
    "abort": lambda ref: os.abort(),
    "exit": lambda ref: os._exit(3),
    "quit": lambda ref: sys.exit(4),
    "kill": lambda ref: os.kill(os.getpid(), signal.SIGKILL),
    "garbage": lambda ref: "not an answer",
    "no_pixels": lambda ref: object.__new__(DecodedImage),
    "long": lambda ref: Unreadable(ref, ErrorCode.EMPTY, "x" * 100_000),
}
ANSWERS: dict[str, ErrorCode | None] = dict.fromkeys(FAULTS, ErrorCode.DECODER_CRASHED) | {
    "hang": ErrorCode.TIMEOUT,
    "hang_in_c": ErrorCode.TIMEOUT,
    "close": ErrorCode.DECODER_CRASHED,
    "eat": ErrorCode.TOO_LARGE,
    "print": None,
    "modules": ErrorCode.EMPTY,
    "surroundings": ErrorCode.EMPTY,
}
SHORT = DecodeLimits(timeout_s=3.0, max_pixels=20_000_000, memory_bytes=1 << 30)


def refs(*names: str) -> list[ImageRef]:
    return [ImageRef(index, "/nowhere", name) for index, name in enumerate(names)]


def code_of(answer: object) -> ErrorCode | None:
    return answer.code if isinstance(answer, Unreadable) else None


def offspring() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def gone_within(seconds: float, gone: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not gone() and time.monotonic() < end:
        time.sleep(0.05)
    return gone()


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    before = offspring()
    yield
    assert gone_within(5.0, lambda: offspring() <= before)


def test_photographs_come_back_in_order_and_equal_to_a_decode_in_this_process() -> None:
    items = [ImageRef(i, str(path), path.name) for i, path in enumerate(PHOTOS)]
    with WorkerDecoder(2, DecodeLimits(provenance=True)) as decoder:
        answers = list(decoder.decode(items))
    for ref, answer in zip(items, answers, strict=True):
        wanted = read_image(ref, DecodeLimits(provenance=True))
        assert isinstance(answer, DecodedImage)
        assert isinstance(wanted, DecodedImage)
        assert answer.ref is ref
        assert np.array_equal(answer.pixels, wanted.pixels)
        assert (answer.facts, answer.provenance) == (wanted.facts, wanted.provenance)
        assert answer.decode_ms > 0


def test_the_whole_corpus_gets_the_expected_codes_in_order(tmp_path: Path) -> None:
    corpus = sorted(bad_files.build(tmp_path).items())
    items = [ImageRef(i, os.path.join(tmp_path, name), name) for i, (name, _) in enumerate(corpus)]
    with WorkerDecoder(2, DecodeLimits(provenance=True)) as decoder:
        answers = list(decoder.decode(items))
    assert [answer.ref for answer in answers if not isinstance(answer, ImageRef)] == items
    assert {ref.name: code_of(a) for ref, a in zip(items, answers, strict=True)} == dict(corpus)


def test_each_fault_costs_its_own_file_only() -> None:
    names = [name for fault in FAULTS for name in (fault, "4")]
    with WorkerDecoder(2, SHORT, function=FAULTY) as decoder:
        answers = list(decoder.decode(refs(*names)))
    assert [answer.ref.name for answer in answers] == names
    assert [answer.ref.index for answer in answers] == list(range(len(names)))
    found = {a.ref.name: code_of(a) for a in answers if a.ref.name in FAULTS}
    assert found == ANSWERS
    for answer in answers:
        if answer.ref.name == "4":
            assert isinstance(answer, DecodedImage)
            assert (answer.pixels == answer.ref.index % 251).all()


def test_messages_say_in_words_how_a_decoder_ended() -> None:
    names = ("segfault", "exit", "kill", "hang", "garbage")
    with WorkerDecoder(1, SHORT, function=FAULTY) as decoder:
        answers = list(decoder.decode(refs(*names)))
    assert [answer.message for answer in answers if isinstance(answer, Unreadable)] == [
        "the decoder was killed by SIGSEGV",
        "the decoder ended with status 3",
        "the decoder was killed by SIGKILL",
        "decoding was stopped after 3 s",
        "the decoder gave no usable answer",
    ]


def test_no_answer_is_lost_when_every_file_crashes_its_decoder() -> None:
    with WorkerDecoder(2, SHORT, function=FAULTY) as decoder:
        answers = list(decoder.decode(refs(*["exit"] * 15)))
    assert [answer.ref.index for answer in answers] == list(range(15))
    assert {code_of(answer) for answer in answers} == {ErrorCode.DECODER_CRASHED}


def test_other_items_pass_through_in_their_place() -> None:
    first, second = refs("4", "4")
    other = Unreadable(ImageRef(7, "x", "x"), ErrorCode.FORBIDDEN, "folder")
    with WorkerDecoder(1, SHORT, function=FAULTY) as decoder:
        answers = list(decoder.decode([other, first, "anything", None, second, other]))
    assert answers[0] is other
    assert answers[2:4] == ["anything", None]
    assert answers[5] is other
    assert [a.ref for a in answers if isinstance(a, DecodedImage)] == [first, second]


def test_items_are_pulled_at_most_ahead_of_what_was_given() -> None:
    pulled: list[int] = []

    def source() -> Iterator[ImageRef]:
        for ref in refs(*["4"] * 20):
            pulled.append(ref.index)
            yield ref

    with WorkerDecoder(2, SHORT, 3, function=FAULTY) as decoder:
        for given, _ in enumerate(decoder.decode(source())):
            assert len(pulled) <= given + 3
    assert pulled == list(range(20))


def test_nothing_in_gives_nothing_out_and_a_decoder_serves_again() -> None:
    with WorkerDecoder(1, SHORT, function=FAULTY) as decoder:
        assert list(decoder.decode([])) == []
        assert len(list(decoder.decode(refs("4")))) == 1
        broken_off = decoder.decode(refs("4", "hang", "4"))
        next(broken_off)
        with pytest.raises(RuntimeError, match="unfinished"):
            next(decoder.decode([]))
        broken_off.close()  # type: ignore[attr-defined]
        assert [code_of(a) for a in decoder.decode(refs("4", "4"))] == [None, None]


def test_pixels_that_wait_are_bounded_and_the_head_of_the_line_goes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "WAITING_BYTES", 1000)
    names = ["hang", *["300"] * 9]
    with WorkerDecoder(3, SHORT, 10, function=FAULTY) as decoder:
        answers = list(decoder.decode(refs(*names)))
    assert [answer.ref.index for answer in answers] == list(range(10))
    assert [code_of(answer) for answer in answers] == [ErrorCode.TIMEOUT, *[None] * 9]


class Recording(Memory):
    """Remembers the most that was taken at once."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.most = 0

    def take(self, *args: Any, **how: Any) -> None:
        super().take(*args, **how)
        self.most = max(self.most, self._taken)

    @property
    def taken(self) -> int:
        return self._taken


def large(folder: Path, count: int) -> list[ImageRef]:
    """JPEGs of 1.44 megapixels: more than may be decoded unasked."""
    found = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        Image.new("RGB", (1200, 1200), (20 * number, 80, 120)).save(path)
        found.append(ImageRef(number, str(path), path.name))
    return found


ONE = 1200 * 1200 * DECODING_BYTES


@pytest.mark.parametrize(("limit", "most"), [(1, ONE), (2 * ONE, 2 * ONE), (99 * ONE, 99 * ONE)])
def test_large_files_are_decoded_as_memory_allows_in_their_order(
    tmp_path: Path, limit: int, most: int
) -> None:
    memory = Recording(limit)
    items = large(tmp_path, 6)
    with WorkerDecoder(3, DecodeLimits(), 6, memory=memory) as decoder:
        answers = list(decoder.decode(items))
    assert [answer.ref for answer in answers] == items
    assert [int(a.pixels[0, 0, 0]) for a in answers] == pytest.approx(range(0, 120, 20), abs=2)
    # of one that waits there may be pixels besides, where one alone is above the limit
    assert ONE <= memory.most <= max(most, ONE + 5 * 1200 * 1200 * 3)
    assert memory.taken == 0


def test_a_file_that_is_not_decoded_after_all_gives_its_memory_back(tmp_path: Path) -> None:
    [whole] = large(tmp_path, 1)
    data = Path(whole.path).read_bytes()
    Path(whole.path).write_bytes(data[: len(data) // 3])
    memory = Recording(ONE)
    with WorkerDecoder(1, DecodeLimits(), memory=memory) as decoder:
        [answer] = decoder.decode([whole])
    assert code_of(answer) is ErrorCode.TRUNCATED
    assert (memory.most, memory.taken) == (ONE, 0)


def test_waiting_for_memory_does_not_count_as_decoding(tmp_path: Path) -> None:
    memory = Memory(ONE)
    memory.take(ONE)
    threading.Timer(3.0, memory.rest, (ONE,)).start()
    with WorkerDecoder(1, DecodeLimits(timeout_s=2.0), memory=memory) as decoder:
        [answer] = decoder.decode(large(tmp_path, 1))
    assert code_of(answer) is None


def test_pixels_that_never_arrive_take_no_room_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    enter, leave = keeper.Room.enter, keeper.Room.leave

    def entered(room: keeper.Room, number: int, size: int, *rest: Any) -> None:
        sizes.append(size)
        enter(room, number, size, *rest)

    def left(room: keeper.Room, size: int) -> None:
        sizes.append(-size)
        leave(room, size)

    monkeypatch.setattr(keeper.Room, "enter", entered)
    monkeypatch.setattr(keeper.Room, "leave", left)
    with WorkerDecoder(1, SHORT, function=FAULTY) as decoder:
        answers = list(decoder.decode(refs("die_sending", "100", "die_sending")))
    crashed = ErrorCode.DECODER_CRASHED
    assert [code_of(answer) for answer in answers] == [crashed, None, crashed]
    assert max(sizes) == 30_000
    assert sum(sizes) == 0


def test_workers_are_quiet_light_and_deaf_to_signals(capfd: pytest.CaptureFixture[str]) -> None:
    with WorkerDecoder(1, SHORT, function=FAULTY) as decoder:
        answers = list(decoder.decode(refs("print", "surroundings")))
    with WorkerDecoder(1, SHORT, function="decode_probe:modules") as decoder:
        pass  # a function that is not there must not hang close()
    assert [a.message for a in answers if isinstance(a, Unreadable)] == [
        "['SIG_IGN', 'SIG_IGN'] False"
    ]
    assert capfd.readouterr() == ("", "")


def test_no_worker_imports_torch() -> None:
    with WorkerDecoder(1, DecodeLimits()) as decoder:
        list(decoder.decode([ImageRef(0, str(PHOTOS[0]), "x")]))
        (worker,) = psutil.Process().children()
        mapped = {os.path.basename(region.path) for region in worker.memory_maps()}
    assert not [name for name in mapped if "torch" in name]
    assert [name for name in mapped if "_imaging" in name]
    with WorkerDecoder(1, SHORT, function=FAULTY) as decoder:
        (answer,) = decoder.decode(refs("modules"))
    assert isinstance(answer, Unreadable)
    assert answer.message == ""


def test_a_worker_that_cannot_start_is_an_error_of_the_run() -> None:
    with (
        WorkerDecoder(1, SHORT, function="nowhere_at_all:decode") as decoder,
        pytest.raises(FakeFaceError, match=r"does not start.*nowhere_at_all"),
    ):
        list(decoder.decode(refs("4")))


def test_a_worker_killed_between_two_files_costs_neither() -> None:
    with WorkerDecoder(1, SHORT, 1, function=FAULTY) as decoder:
        for answer in decoder.decode(refs("4", "4", "4")):
            assert isinstance(answer, DecodedImage)
            for child in psutil.Process().children():
                child.kill()
                assert gone_within(5.0, lambda c=child: c.status() == psutil.STATUS_ZOMBIE)


def test_stop_is_asked_while_an_answer_is_awaited() -> None:
    began = time.monotonic()

    def stop() -> None:
        if time.monotonic() - began > 0.5:
            raise KeyboardInterrupt

    slow = DecodeLimits(timeout_s=60.0)
    with (
        pytest.raises(KeyboardInterrupt),
        WorkerDecoder(2, slow, stop=stop, function=FAULTY) as decoder,
    ):
        list(decoder.decode(refs("hang", "hang")))
    assert time.monotonic() - began < 5.0


def test_close_ends_stuck_workers_quickly_and_decode_afterwards_is_refused() -> None:
    decoder = WorkerDecoder(2, DecodeLimits(timeout_s=60.0), function=FAULTY)
    answers = decoder.decode(refs("4", "hang_in_c", "hang", "4"))
    next(answers)
    began = time.monotonic()
    decoder.close()
    decoder.close()
    assert time.monotonic() - began < 2.0
    with pytest.raises(RuntimeError, match="closed"):
        list(answers)
    with pytest.raises(RuntimeError, match="closed"):
        list(decoder.decode(refs("4")))


def test_an_exception_in_the_consumer_leaves_no_orphan() -> None:
    with (
        pytest.raises(ZeroDivisionError),
        WorkerDecoder(2, SHORT, function=FAULTY) as decoder,
    ):
        for _ in decoder.decode(refs("4", "hang", "4")):
            raise ZeroDivisionError


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_vanish_with_a_killed_scan(how: signal.Signals) -> None:
    script = (
        "import signal, sys; sys.path[:0] = sys.argv[1:]\n"
        # a shell that starts the tests in the background has them ignore it
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import tests.decode.test_pool as t\n"
        "slow = t.DecodeLimits(timeout_s=600.0)\n"
        "decoder = t.WorkerDecoder(2, slow, function='tests.decode.test_pool:faulty')\n"
        "answers = decoder.decode(t.refs('4', 'hang_in_c', 'hang'))\n"
        "next(answers); print('ready', flush=True); next(answers)\n"
    )
    here = builders.ROOT
    with subprocess.Popen(
        [sys.executable, "-c", script, str(here)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as scan:
        assert scan.stdout is not None
        assert scan.stdout.readline() == b"ready\n"
        workers = psutil.Process(scan.pid).children(recursive=True)
        assert len(workers) == 2
        scan.send_signal(how)
        scan.wait(10.0)
    assert gone_within(5.0, lambda: not any(worker.is_running() for worker in workers))


def test_a_module_in_the_current_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "PIL", "json", "fakefacecli", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with WorkerDecoder(1, DecodeLimits()) as decoder:
        (answer,) = decoder.decode([ImageRef(0, str(PHOTOS[0]), "x")])
    assert isinstance(answer, DecodedImage)


def test_relative_paths_and_names_that_are_not_utf8_reach_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = os.fsdecode(b"latin1_\xe9\xff.png")
    bad_files.build(tmp_path)
    monkeypatch.chdir(tmp_path)
    with WorkerDecoder(1, DecodeLimits()) as decoder:
        (answer,) = decoder.decode([ImageRef(0, name, name)])
    assert isinstance(answer, DecodedImage)
