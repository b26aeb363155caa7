"""Sums up what `llvm-cov export --summary-only` says about our files, one line a crate; other people's crates are left out."""

import json
import pathlib
import sys

root = pathlib.Path(sys.argv[1]).resolve()
crates = {}
for file in json.load(sys.stdin)["data"][0]["files"]:
    path = pathlib.Path(file["filename"]).resolve()
    if not path.is_relative_to(root) or path.is_relative_to(root / "tests"):
        continue
    crate = str(path.relative_to(root)).split("/src/")[0]
    sums = crates.setdefault(crate, [0, 0, 0, 0])
    for place, kind in ((0, "lines"), (2, "functions")):
        sums[place] += file["summary"][kind]["covered"]
        sums[place + 1] += file["summary"][kind]["count"]
for crate, (lines, all_lines, functions, all_functions) in sorted(crates.items()):
    if lines:
        share = 100 * lines / all_lines
        print(f"  {crate}: {lines} of {all_lines} lines ({share:.0f} %), {functions} of {all_functions} functions")
