"""What the README promises of `make demo`: it ends well, and tells all four chapters."""

from __future__ import annotations

import subprocess
import sys

from stack import ROOT


def test_the_demo_tells_its_story() -> None:
    command = [sys.executable, str(ROOT / "tests" / "demo.py")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for chapter in ("1. AWS tells us", "2. ", "3. ", "4. "):
        assert f"\n{chapter}" in answer.stdout, answer.stdout
