"""One whole training: labelled images in, the checkpoint of the best epoch out."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from fakefacecli.base.errors import FakeFaceError, Interrupted
from fakefacecli.base.text import counted, printable
from fakefacecli.labelled.data import LabelledImage, read_data
from fakefacecli.models.bundled import find_start
from fakefacecli.models.card import ModelCard
from fakefacecli.models.checkpoint import Checkpoint, save
from fakefacecli.train.audit import Audit, audit
from fakefacecli.train.faces import PLAIN_WINDOW, CutOptions, LabelledFace, find_faces
from fakefacecli.train.log import Callbacks, Epoch, TrainingProgress, write_curves, write_log
from fakefacecli.train.loop import Training
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.resume import check_out, fingerprint_of, read_state, resume_path, write_state
from fakefacecli.train.split import Division, divide, near_pairs_of_both_labels
from fakefacecli.train.split_file import with_division, write_division
from fakefacecli.train.start import start_with
from fakefacecli.train.team import ALONE, Team


@dataclass(frozen=True, slots=True)
class Watch:
    """What the caller does along the way; each may raise to end the run.

    `say` is given lines for people; `images` how many images were read, of how many; `step` and
    `epoch` what the loop has done; `stop` is called between steps.
    """

    say: Callable[[str], None] = lambda line: None
    images: Callable[[int, int], None] = lambda done, of: None
    step: Callable[[int, int, float], None] = lambda done, of, loss: None
    epoch: Callable[[Epoch], None] = lambda epoch: None
    stop: Callable[[], None] = lambda: None


def run_training(
    options: TrainOptions, watch: Watch, init: Checkpoint | None = None, team: Team = ALONE
) -> TrainingProgress:
    """Train and write the checkpoint, the division of the data, the log, the curves.

    `init` is the model of --init, where the caller has found it already. Each worker of a `team`
    calls this with the same options; only the one that leads writes, and needs a `watch`.
    After each epoch that is the best so far the checkpoint is replaced, so an interruption keeps
    it. Raises a FakeFaceError; before any image is read where an earlier run's work would be lost
    or the network cannot be made.
    """
    check_out(options)
    if options.init and init is None:
        init = find_start(options.init)
    network, card = start_with(options, init)
    images = read_data(options.data)
    if options.init:  # faces that it has learnt from already would make validation too good
        images, taken_over = with_division(images, options.init)
        if taken_over:
            watch.say(f"{taken_over} images go by the splits of the training of {options.init}")
    faces = _faces_of(team, images, card, options, watch)
    division = divide(faces, options.seed)
    for line in [*division.notes, _counts(division)]:
        watch.say(line)
    _report(audit([*division.train, *division.val]), options, watch)
    watch.stop()
    kept = partial(write_division, options.out, images, division, options.init)
    training = Training(network, card, division, options, team)
    return _run(training, division, kept, watch)


def _faces_of(
    team: Team,
    images: Sequence[LabelledImage],
    card: ModelCard,
    options: TrainOptions,
    watch: Watch,
) -> list[LabelledFace]:
    """The faces, which one worker cuts out while the others wait; they find them in the cache."""
    faces = _faces(images, card, options, watch) if team.leads else []
    team.told(None, options.device)
    return faces if team.leads else _faces(images, card, options, watch)


def _faces(
    images: Sequence[LabelledImage], card: ModelCard, options: TrainOptions, watch: Watch
) -> list[LabelledFace]:
    seen = 0

    def done(count: int) -> None:
        nonlocal seen
        seen += count
        watch.images(seen, len(images))

    cutting = CutOptions(
        folder=options.cache,
        ready_scale=options.ready_scale,
        device=options.device,
        workers=options.workers,
        min_face_px=options.min_face_px,
        rule=card.rule or PLAIN_WINDOW,
        turns=options.turns,
    )
    faces, left_out = find_faces(images, cutting, done, watch.stop)
    for why, count in Counter(left_out.values()).most_common(5):
        example = next(path for path, reason in left_out.items() if reason == why)
        watch.say(f"left out {count}: {why} (such as {example})")
    both = near_pairs_of_both_labels(faces)
    if both:
        watch.say(f"{both} faces look the same and bear both labels; one of each must be wrong")
    return faces


def _report(found: Audit, options: TrainOptions, watch: Watch) -> None:
    for line in found.words():
        watch.say(line)
    if not options.allow_shortcuts:
        found.check()


def _counts(division: Division) -> str:
    parts = []
    for side, faces in (("learn", division.train), ("validate", division.val)):
        fakes = sum(face.image.fake for face in faces)
        groups = {face.image.group for face in faces} - {""}
        known = f" of {counted(len(groups), 'group')}" if groups else ""
        parts.append(f"{len(faces) - fakes} real and {fakes} fake faces{known} to {side}")
    return "; ".join(parts)


def _run(
    training: Training, division: Division, keep_division: Callable[[], None], watch: Watch
) -> TrainingProgress:
    import torch

    options, leads = training.options, training.team.leads
    fingerprint = fingerprint_of(options, division)
    if options.resume:
        training.restore(read_state(options.out, fingerprint))
        watch.say(f"going on after epoch {len(training.progress.history)}")
    callbacks = Callbacks(watch.step, watch.stop)
    try:
        if training.maker.learn(division.train, watch.stop):
            watch.say("an autoencoder has learnt to reconstruct the real faces")
        if options.init and not options.resume:
            before = training.validate(watch.stop)
            watch.say(f"before training: validation AUC {before['auc']:.4f}")
        while not training.over:
            epoch = training.epoch(callbacks)
            if not leads:
                continue
            if epoch.best:
                keep_division()  # not earlier: until now the file may be an earlier training's
                card = _finished_card(training.card, division, epoch, options)
                save(options.out, training.weights(), card)
            # after the model: a run killed between the two repeats this epoch
            write_state(options.out, fingerprint, training.state())
            write_log(options.out, training.progress.history)
            write_curves(options.out, training.progress.history)
            watch.epoch(epoch)
    except Interrupted as stopped:
        raise _with_what_is_left(stopped, training.progress, options) from None
    except torch.OutOfMemoryError:
        raise FakeFaceError(
            "the device's memory does not hold a batch; try a smaller --batch-size"
        ) from None
    if leads:
        os.unlink(resume_path(options.out))
    return training.progress


def _finished_card(
    card: ModelCard, division: Division, epoch: Epoch, options: TrainOptions
) -> ModelCard:
    """The card, which now says what the model learnt from and how well."""
    fakes = sum(face.image.fake for face in division.val)
    figures = {
        "n_real": len(division.val) - fakes,
        "n_fake": fakes,
        "auc": round(epoch.auc, 4),
        "accuracy_at_0.5": round(epoch.accuracy, 4),
        "epoch": epoch.number,
    }
    groups = sorted({face.image.group for face in division.train} - {""})
    # escaped here: a card's words are stored, and quoted by reports and pages as they are
    named = f": {', '.join(map(printable, groups[:40]))}" if groups else ""
    start = f", from {printable(os.path.basename(options.init))}" if options.init else ""
    return replace(
        card,
        trained_on=f"{len(division.train)} faces{start}, seed {options.seed}{named}",
        measured={"validation, by which the best epoch was chosen": figures},
    )


def _with_what_is_left(
    stopped: Interrupted, progress: TrainingProgress, options: TrainOptions
) -> Interrupted:
    if not progress.best:
        return Interrupted(stopped.number, " in the first epoch; nothing was kept")
    return Interrupted(
        stopped.number,
        f"; {options.out} holds epoch {progress.best}, the best of "
        f"{len(progress.history)}; --resume goes on",
    )
