#!/usr/bin/env python3
"""Copies runs with no more than what `indhead compare` reads of them, small enough to be kept.

    python3 scripts/thin-runs.py runs/seeds stored/seeds

Left out: checkpoints, the tokenizer, the clock of every step, steps between two measurements of the held-out loss,
analyses that no comparison shows, losses position by position, and the command lines with the paths in them. Nothing
that is kept is changed.
"""

import json
import os
import shutil
import sys

FILES = ["spec.toml", "plan.toml", "done.json"]
TABLES = {
    "prefix_matching": ["heads"],
    "prefix_matching_passages": ["heads"],
    "previous_token": ["heads"],
    "in_context_learning": ["scores"],
    "repeated_loss": ["losses"],
    "stream_composition": ["identity"],
    "last_occurrence": ["shares"],
}


def thin(run, to):
    os.makedirs(os.path.join(to, "analyses"))
    for name in FILES:
        shutil.copy(os.path.join(run, name), to)
    with open(os.path.join(run, "provenance.json")) as file:
        provenance = json.load(file)
    del provenance["argv"]
    write(provenance, os.path.join(to, "provenance.json"))
    with open(os.path.join(run, "metrics.jsonl")) as whole, open(os.path.join(to, "metrics.jsonl"), "w") as kept:
        kept.writelines(line for line in whole if "validation_loss" in line)
    shutil.copy(os.path.join(run, "analyses", "verdict.json"), os.path.join(to, "analyses"))
    for name, tables in TABLES.items():
        path = os.path.join(run, "analyses", f"{name}.json")
        if os.path.exists(path):
            with open(path) as file:
                analysis = json.load(file)
            analysis["tables"] = [table for table in analysis["tables"] if table["name"] in tables]
            write(analysis, os.path.join(to, "analyses", f"{name}.json"))


def write(value, path):
    with open(path, "w") as file:
        json.dump(value, file, separators=(",", ":"))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = (path.rstrip("/") for path in sys.argv[1:])
    for folder, _, files in sorted(os.walk(source)):
        if "done.json" in files:
            thin(folder, os.path.normpath(os.path.join(target, os.path.relpath(folder, source))))


if __name__ == "__main__":
    main()
