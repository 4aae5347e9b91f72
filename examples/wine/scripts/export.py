"""Write scikit-learn's copy of the wine data as train.csv and test.csv: `python scripts/export.py DIRECTORY`.

178 wines from one region of Italy, 13 measurements each, made of three cultivars of grape (Forina and others, 1988).
Every fourth wine is for the test.
"""

import csv
import sys
from pathlib import Path

from sklearn.datasets import load_wine


def main(target: Path) -> None:
    """Write both files below `target`."""
    data = load_wine()
    names = [name.replace("/", "_") for name in data.feature_names]
    rows = [
        [*(format(value, ".6g") for value in values), int(cultivar)]
        for values, cultivar in zip(data.data, data.target, strict=True)
    ]
    target.mkdir(parents=True, exist_ok=True)
    for name, test in (("train.csv", False), ("test.csv", True)):
        with (target / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([*names, "cultivar"])
            writer.writerows(row for place, row in enumerate(rows) if (place % 4 == 3) == test)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
