"""The stress program for three seconds, as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_three_seconds_of_random_work_agree_with_the_model() -> None:
    command = [sys.executable, "-W", "always", "-m", "tests.stress.stress", "--seconds", "3", "--rows", "1500"]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=45, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    seed, done = ended.stdout.splitlines()
    assert seed.startswith("seed ")
    assert " rounds" in done and " iterate" in done and " sync" in done, ended.stdout
