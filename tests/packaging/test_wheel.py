"""The wheel, built through the source distribution and installed alone in a fresh environment: it has all that it needs.

The dependencies are those of the environment that runs the tests, by a ``.pth`` file, so that nothing else is installed.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)
PROJECT = Path(__file__).parents[2]
KEPT_STORE = PROJECT / "tests" / "data" / "store-0001.db"


def _run(command: Sequence[object], folder: Path) -> str:
    """The stdout of a command that must succeed, run where the checkout cannot be imported."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "LMSYS_STORE_", "PIP_REQUIRE"))
    }
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _python(folder: Path, *, with_pip: bool) -> Path:
    """The interpreter of a new environment."""
    venv.create(folder, with_pip=with_pip, symlinks=os.name != "nt")
    return folder / ("Scripts" if os.name == "nt" else "bin") / ("python.exe" if os.name == "nt" else "python")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as ``python -m build`` makes it: from the source distribution, not from the checkout."""
    folder = tmp_path_factory.mktemp("build")
    if find_spec("build") and find_spec("hatchling"):
        command: list[object] = [sys.executable, "-m", "build", "--no-isolation"]
    else:
        python = _python(folder / "tools", with_pip=True)
        _run([python, "-m", "pip", "install", "--quiet", "build"], folder)
        command = [python, "-m", "build"]
    _run([*command, "--outdir", folder / "dist", PROJECT], folder)
    assert [path.suffixes[-1] for path in sorted((folder / "dist").iterdir())] == [".whl", ".gz"]
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel and, beside it, this environment's packages."""
    folder = tmp_path_factory.mktemp("fresh")
    python = _python(folder / "venv", with_pip=False)
    _run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        folder,
    )
    places = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    site = _run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
    Path(site, "dependencies.pth").write_text("\n".join(places))
    where = _run([python, "-c", "import lmsys_store; print(lmsys_store.__file__)"], folder)
    assert Path(where.strip()).is_relative_to(folder), "the checkout was imported, not the wheel"
    return python.parent


def test_the_wheel_holds_types_migrations_seeds_and_licence_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in ("py.typed", "_migrations/env.py", "_migrations/versions/0001_first_schema.py", "sources/seeds.jsonl"):
        assert f"lmsys_store/{name}" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"lmsys_store"}, "nothing else is at the top"
    assert [name for name in names if "test" in name.lower() or name.endswith((".pyc", ".db"))] == []


def test_the_installed_program_fills_and_checks_a_store(scripts: Path, tmp_path: Path) -> None:
    program, store = scripts / "lmsys-store", tmp_path / "store.db"
    report = json.loads(_run([program, "sync", "--mock", "--store", store, "--json"], tmp_path))
    assert report["rows_added"] >= 240 and report["complete"] is True
    status = json.loads(_run([program, "status", "--json", "--store", store], tmp_path))
    assert (status["dataset"], status["rows"]) == ("mock/seeds", report["rows_added"])
    assert _run([program, "check", "--store", store], tmp_path).startswith("ok: ")
    assert len(_run([program], tmp_path).splitlines()) == 6


@pytest.mark.skipif(not KEPT_STORE.exists(), reason="no store of an earlier schema is kept yet")
def test_the_installed_program_opens_the_kept_store_of_the_first_schema(scripts: Path, tmp_path: Path) -> None:
    program, store = scripts / "lmsys-store", tmp_path / "old.db"
    shutil.copyfile(KEPT_STORE, store)
    status = json.loads(_run([program, "status", "--json", "--store", store], tmp_path))
    assert status["dataset"] == "mock/seeds" and status["rows"] > 0
    rows = _run([program, "query", "--json", "--language", "en", "--store", store], tmp_path).splitlines()
    assert 0 < len(rows) <= status["rows"] and all(json.loads(line)["language"] == "English" for line in rows)
    assert _run([program, "check", "--store", store], tmp_path).startswith("ok: ")
