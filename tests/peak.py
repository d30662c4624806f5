"""The peak memory of a command. On Linux a program's own ``ru_maxrss`` begins with the peak of whoever started it, and a test run
or a benchmark is larger than what it measures: so this file, run as a program, stands between them and starts the command."""

import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence

_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_of(command: Sequence[str], *, env: Mapping[str, str] | None = None, quiet: bool = False) -> tuple[int, int]:
    """The exit code of a command, and the most memory it used, in bytes. Its stdout goes nowhere; ``quiet``: its stderr too."""
    between = [sys.executable, __file__, *command]
    stderr = subprocess.DEVNULL if quiet else None
    done = subprocess.run(between, env=env, stdout=subprocess.PIPE, stderr=stderr, text=True, check=True)
    code, peak = map(int, done.stdout.split())
    return code, peak


def main() -> None:
    """Run the command and print its exit code and its peak in bytes."""
    code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False).returncode
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT
    sys.stdout.write(f"{code} {peak}\n")


if __name__ == "__main__":
    main()
