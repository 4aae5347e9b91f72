"""Fit kwh to temperature by gradient descent: python3 fit.py TABLE MODEL METRICS --rate R --steps N --seed S.

Any program could stand here, in any language: it reads the files it is told, and writes the files it is told.
"""

import argparse
import csv
import json
import platform
import random
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("table", type=Path)
parser.add_argument("model", type=Path)
parser.add_argument("metrics", type=Path)
parser.add_argument("--rate", type=float, required=True)
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--seed", type=int, required=True)
asked = parser.parse_args()

with asked.table.open(newline="", encoding="utf-8") as stream:
    rows = [(float(row["temperature_c"]), float(row["kwh"])) for row in csv.DictReader(stream)]
random.Random(asked.seed).shuffle(rows)
cut = len(rows) * 4 // 5
train, test = rows[:cut], rows[cut:]


def error(part, slope, intercept):
    """Mean absolute error."""
    return sum(abs(kwh - (slope * temperature + intercept)) for temperature, kwh in part) / len(part)


slope = intercept = 0.0
for step in range(asked.steps):
    wrong = [(slope * temperature + intercept - kwh, temperature) for temperature, kwh in train]
    slope -= asked.rate * sum(off * temperature for off, temperature in wrong) / len(wrong)
    intercept -= asked.rate * sum(off for off, _ in wrong) / len(wrong)
    if step % 100 == 0:
        print(f"strata-metric train_mae={error(train, slope, intercept)} step={step}", flush=True)

asked.model.write_text(json.dumps({"slope": slope, "intercept": intercept}) + "\n", encoding="utf-8")
figures = {"train": {"mae": error(train, slope, intercept)}, "test": {"mae": error(test, slope, intercept)}}
asked.metrics.write_text(json.dumps(figures) + "\n", encoding="utf-8")
said = {
    "framework_version": platform.python_version(),
    "inputs": [{"name": "temperature_c", "type": "float64"}],
    "outputs": [{"name": "kwh", "type": "float64"}],
}
asked.model.with_name("about.json").write_text(json.dumps(said) + "\n", encoding="utf-8")
