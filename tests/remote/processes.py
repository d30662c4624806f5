"""``python -m lmsys_store`` with no way to the network but the stand-in, and with none at all."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.embedding.running import LIMIT_SECONDS, Finished, environment
from tests.peak import peak_of

_GUARDED = """
import sys
def guard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        sys.stderr.write(f"NETWORK {event} {arguments[1:]}\\n")
        raise SystemExit(99)
sys.addaudithook(guard)
from lmsys_store.cli import main
main()
"""


def run_guarded(*arguments: object) -> Finished:
    """Run the command line with every connection and every look-up of a name an end with code 99."""
    command = [sys.executable, "-c", _GUARDED, *map(str, arguments)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def wait_until(process: "subprocess.Popen[str]", condition: Callable[[], object]) -> None:
    """Wait until something is so; AssertionError if the process ends before."""
    for _ in range(int(LIMIT_SECONDS / 0.01)):
        if condition():
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended before: {process.communicate()}")
    raise AssertionError("it never was so")


def everything_beside(store: Path) -> bytes:
    """The bytes of all files in the store's folder."""
    return b"".join(path.read_bytes() for path in store.parent.rglob("*") if path.is_file())


def peak_megabytes(*arguments: object) -> tuple[int, float]:
    """The exit code of a run, and the most memory it used."""
    command = [sys.executable, "-m", "lmsys_store", *map(str, arguments)]
    code, peak = peak_of(command, env=environment(), quiet=True)
    return code, peak / (1 << 20)
