"""Leave out rows without a temperature, and readings that cannot be: python3 clean.py RAW CLEAN LARGEST."""

import csv
import sys

raw, clean, largest = sys.argv[1], sys.argv[2], float(sys.argv[3])
with open(raw, newline="", encoding="utf-8") as stream:
    rows = list(csv.DictReader(stream))
kept = [row for row in rows if row["temperature_c"] and float(row["kwh"]) <= largest]
with open(clean, "w", newline="", encoding="utf-8") as stream:
    writer = csv.DictWriter(stream, ["day", "temperature_c", "kwh"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
print(f"strata-metric rows={len(rows)} kept={len(kept)}")
