"""Write scikit-learn's copy of the Wisconsin breast cancer measurements as train.csv and test.csv.

569 real tumours, 30 measurements each (Wolberg, Street and Mangasarian, 1995). The split is by a fixed seed and keeps
the share of malignant cases; `diagnosis` is 1 for malignant and 0 for benign.
"""

import csv
import random
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer

TEST_SHARE = 0.3
SEED = 20261121


def main(target: Path) -> None:
    """Write both files below `target`."""
    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names]
    rows = [
        [*(format(value, ".6g") for value in values), str(1 - int(label))]
        for values, label in zip(data.data, data.target, strict=True)
    ]
    train, test = split(rows)
    target.mkdir(parents=True, exist_ok=True)
    for name, part in (("train.csv", train), ("test.csv", test)):
        with (target / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([*names, "diagnosis"])
            writer.writerows(part)
        print(f"{target / name}: {len(part)} rows")


def split(rows: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """Train and test rows, each with the same share of every diagnosis."""
    chosen = random.Random(SEED)
    train: list[list[str]] = []
    test: list[list[str]] = []
    for label in ("0", "1"):
        part = [row for row in rows if row[-1] == label]
        chosen.shuffle(part)
        cut = round(len(part) * TEST_SHARE)
        test += part[:cut]
        train += part[cut:]
    return train, test


if __name__ == "__main__":
    main(Path(sys.argv[1]))
