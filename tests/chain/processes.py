"""Programs run as processes: every warning an error unless said otherwise, and a time limit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = Path(__file__).with_name("programs")
LIMIT_SECONDS: Final = 50.0


def run(
    name: str, *arguments: object, given: object = None, warnings: str = "error", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end; ``given`` is its standard input, as JSON."""
    return subprocess.run(
        [sys.executable, "-W", warnings, str(PROGRAMS / f"{name}.py"), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"} | environment,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def answer(name: str, *arguments: object, given: object = None, **environment: str) -> Any:
    """The JSON value that a program prints, which must end well and silently."""
    done = run(name, *arguments, given=given, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)
