"""How right the verdicts are on labelled photographs.

usage: python tests/bench/accuracy.py FOLDER [--model NAME|FILE]

FOLDER holds photographs and a labels.csv with the columns file, label (real or fake) and
one_clear_face (yes or no). Prints whether every file has its row, how many photographs of one
clear face got one, and how the verdicts on photographs in which exactly one face was found
compare with the labels.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import pandas as pd


def scan(folder: pathlib.Path, model: str) -> pd.DataFrame:
    """The report of the real command on `folder`."""
    with tempfile.TemporaryDirectory() as out:
        report = pathlib.Path(out) / "report.csv"
        command = [sys.executable, "-m", "fakefacecli", "scan", str(folder), "--quiet"]
        done = subprocess.run([*command, "--report", str(report), "--model", model], check=False)
        if done.returncode not in (0, 3):
            sys.exit(f"fakeface ended with {done.returncode}")
        return pd.read_csv(report)


def main() -> None:
    """Scan, compare, print."""
    cli = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cli.add_argument("folder", type=pathlib.Path)
    cli.add_argument("--model", default="inception-resnet-v1")
    args = cli.parse_args()
    labels = pd.read_csv(args.folder / "labels.csv").set_index("file")
    rows = scan(args.folder, args.model)
    rows["file"] = [pathlib.Path(path).relative_to(args.folder).as_posix() for path in rows["path"]]
    missing = sorted(set(labels.index) - set(rows["file"]))
    print(f"files            {len(labels)}, without a row {len(missing)} {missing or ''}")

    found = rows.groupby("file")["face"].count()
    clear = labels.index[labels["one_clear_face"] == "yes"]
    exactly = int((found.reindex(clear) == 1).sum())
    some = int((found.reindex(clear) >= 1).sum())
    print(f"one clear face   {len(clear)}, exactly one found {exactly}, {exactly / len(clear):.1%}")
    print(f"                 at least one found {some} ({some / len(clear):.1%})")

    single = rows[rows["file"].isin(found.index[found == 1]) & rows["face"].notna()]
    single = single.join(labels[["label", "seen_in_training"]], on="file")
    report(single, "single face")
    report(single[single["seen_in_training"] == "no"], "not in training")


def report(single: pd.DataFrame, words: str) -> None:
    """Verdicts against labels, and the accuracy at p_fake 0.5."""
    if single.empty:
        return
    fake = single["label"] == "fake"
    decided = single["verdict"] != "inconclusive"
    right = (single["verdict"] == "flagged") == fake
    half = ((single["p_fake"] >= 0.5) == fake).mean()
    print(f"\n{words}: {len(single)} photographs, {fake.sum()} fake")
    print(pd.crosstab(single["label"], single["verdict"]).to_string())
    print(
        f"decided {decided.sum()} of {len(single)}, right {right[decided].mean():.1%} of those; "
        f"accuracy at p_fake 0.5: {half:.1%}"
    )


if __name__ == "__main__":
    main()
