"""The vocabularies of other families, which are a package of their own: here in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, sys
from pathlib import Path
import tokenbook
from tokenbook import _wire

try:
    tokenbook.count("a", model="qwen3-32b")
except tokenbook.UnavailableError as error:
    assert "tokenbook-vocabularies" in str(error), error
else:
    raise AssertionError("nothing is added yet")
assert "qwen" in tokenbook.vocabularies().missing
assert tokenbook.vocabularies(Path(sys.argv[1])).missing == []
ran = 0
for path in sorted(Path(sys.argv[2]).glob("*.json")):
    file = json.loads(path.read_text("utf-8"))
    for case in file["cases"]:
        assert _wire.call(file["op"], case["args"]) == case["want"], case["name"]
        ran += 1
assert tokenbook.count_batch(["Hello, world!"] * 3, encoding="deepseek_v3") == [4, 4, 4]
print(ran)
"""


def test_the_vectors_of_families_hold_once_their_folder_is_named() -> None:
    vectors = ROOT / "tests" / "vectors" / "families"
    run = [sys.executable, "-c", SCRIPT, str(ROOT / "vocabularies" / "data"), str(vectors)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == sum(len(json.loads(path.read_text("utf-8"))["cases"]) for path in vectors.glob("*.json"))


def test_an_installed_package_is_found_by_itself(tmp_path: Path) -> None:
    os.symlink(ROOT / "vocabularies", tmp_path / "tokenbook_vocabularies")
    count = "tokenbook.count('Hello, world! 123', model='deepseek-chat')"
    script = f"import tokenbook; print({count}, tokenbook.vocabularies().missing)"
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.stdout == "6 []\n", done.stderr
