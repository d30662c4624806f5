"""The house's import table, held by reading every module: who may import whom, no cycles, and a light front door."""

import ast
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import lmsys_store
from lmsys_store import errors

ROOT = Path(lmsys_store.__file__).parent

PURE = {
    "errors",
    "records",
    "rows",
    "vocabulary",
    "search",
    "expressions",
    "query",
    "intervals",
    "implication",
    "parts",
    "folds",
}
PURE |= {"operations", "funnel", "position"}
STORAGE = PURE | {"storage"}
INGEST = STORAGE | {"sources.base"}
STORE = INGEST | {
    "settings",
    "sources",
    "ingest",
    "remote",
    "tally",
    "phases",
    "fallback",
    "folding",
    "plans",
    "ordered",
    "iteration",
    "results",
    "reports",
    "syncing",
    "labelling",
}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "folds": {"errors", "records"},
    "settings": {"errors"},
    "vocabulary": {"errors"},
    "search": {"errors"},
    "records": {"errors"},
    "rows": {"errors", "records"},
    "expressions": {"errors", "records", "vocabulary", "search"},
    "query": {"errors", "records", "vocabulary", "search", "expressions"},
    "parts": {"errors", "records", "vocabulary", "search", "expressions"},
    "funnel": set(),
    "operations": {"errors", "records", "vocabulary", "search", "expressions", "parts"},
    "position": {"errors"},
    "plans": PURE,
    "intervals": set(),
    "implication": {"errors", "records", "vocabulary", "search", "expressions", "query"},
    "labels": PURE | {"labels"},
    "labelling": INGEST | {"settings", "sources", "labels"},
    "sources": PURE | {"settings", "sources"},
    "storage": STORAGE,
    "convert": PURE | {"convert", "labels"},
    "analyze": PURE | {"analyze", "labels"},
    "ingest": INGEST | {"tally"},
    "syncing": INGEST | {"settings", "sources", "ingest", "remote", "tally", "fallback"},
    "remote": INGEST | {"settings", "sources"},
    "tally": INGEST,
    "phases": INGEST | {"settings", "sources", "ingest", "remote", "tally"},
    "fallback": INGEST | {"settings", "phases"},
    "reports": INGEST | {"sources", "phases", "fallback"},
    "folding": STORAGE,
    "ordered": INGEST | {"phases", "fallback", "plans"},
    "iteration": INGEST | {"settings", "phases", "fallback", "ordered"},
    "results": INGEST | {"settings", "phases", "iteration", "ordered", "folding", "convert.base"},
    "store": STORE | {"labels"},
    "blocking": STORE | {"store", "labels", "convert.base"},
    "insights": STORE | {"store", "analyze"},
    "promptloop": STORE | {"store", "blocking", "convert", "analyze", "insights", "labels"},
    "cli": STORE | {"store", "blocking", "convert", "analyze", "insights", "promptloop", "cli", "labels"},
    "__main__": {"cli"},
}
"""Part of the package (a module or a folder) to the parts it may import; the front door names all of them, for type checkers."""

ONLY_IN = {
    "sqlalchemy": {"storage"},
    "sqlite3": {"storage.engine", "analyze.duplicates", "convert.seen"},
    "aiosqlite": {"storage.engine"},
    "alembic": {"storage.schema"},
    "filelock": {"storage.lock"},
    "aiohttp": {"sources.client", "sources.hub"},
    "pyarrow": {"sources.parquet", "sources.hub", "convert.writing"},
    "numpy": {"sources.parquet", "labels", "plans", "analyze"},
    "scipy": {"analyze.stratified"},
    "re2": {"labels.patterns", "convert.scrub"},
    "yaml": {"convert.promptfoo"},
    "rapidfuzz": {"labels.likeness", "analyze.duplicates"},
    "rensa": {"analyze.duplicates"},
    "pydantic_settings": {"settings"},
    "typer": {"cli"},
    "rich": {"cli"},
}
"""Outside packages to the parts that alone import them."""

PURE_MODULES = PURE | {"sources.where"}
NO_BYTES_IN_OR_OUT = {
    "collections", "dataclasses", "datetime", "difflib", "enum", "functools", "hashlib", "itertools", "json", "math", "operator",
    "re", "struct", "typing", "base64", "binascii", "unicodedata", "pydantic", "pydantic_core",
}  # fmt: skip
"""What a pure module may import besides its own kind: nothing that can touch a file, a socket, a thread or a clock."""


@dataclass(frozen=True)
class Import:
    """One import statement: by which module, of what, and whether importing that module runs it."""

    module: str
    name: str
    at_import: bool


def _name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name_of(path): path for path in sorted(ROOT.rglob("*.py")) if "_migrations" not in path.parts}


def _nodes(node: ast.AST, *, at_import: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and child in node.body
        runs = at_import and not lazy and not typing_only
        yield child, runs
        yield from _nodes(child, at_import=runs)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    assert node.level == 0, "imports are absolute: they are read by name"
    # `from lmsys_store.storage import coverage` imports a module, `from lmsys_store.query import Query` a name of one.
    module = node.module or ""
    inside = [f"{module}.{alias.name}" for alias in node.names]
    return [name if name.removeprefix("lmsys_store.") in MODULES else module for name in inside]


def _imports(module: str) -> list[Import]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return [Import(module, name, runs) for node, runs in _nodes(tree, at_import=True) for name in _imported(node)]


IMPORTS = [found for module in MODULES for found in _imports(module)]
OURS = [
    Import(i.module, i.name.partition(".")[2], i.at_import) for i in IMPORTS if i.name.split(".")[0] == "lmsys_store"
]
OTHERS = [found for found in IMPORTS if found.name.split(".")[0] not in ("lmsys_store", "__future__")]


def _within(module: str, parts: set[str]) -> bool:
    return any(module == part or module.startswith(part + ".") for part in parts)


def test_the_table_knows_every_part() -> None:
    """A new module needs a place in the house first."""
    assert {name.split(".")[0] for name in MODULES if name} == set(MAY_IMPORT)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_a_module_imports_what_its_part_may(module: str) -> None:
    allowed = MAY_IMPORT[module.split(".")[0]]
    # "" is the package itself: its version, and nothing that importing it would load.
    wrong = [found.name for found in OURS if found.module == module and found.name and not _within(found.name, allowed)]
    assert wrong == []


@pytest.mark.parametrize("package", ONLY_IN)
def test_an_outside_package_stays_where_it_belongs(package: str) -> None:
    users = {found.module for found in OTHERS if found.name.split(".")[0] == package}
    assert [module for module in sorted(users) if not _within(module, ONLY_IN[package])] == []


@pytest.mark.parametrize("module", sorted(PURE_MODULES))
def test_a_pure_module_can_reach_nothing_outside(module: str) -> None:
    roots = {found.name.split(".")[0] for found in OTHERS if found.module == module}
    assert roots - NO_BYTES_IN_OR_OUT == set()
    calls = [
        node.func
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    assert {call.id for call in calls if isinstance(call, ast.Name)} & {
        "open",
        "print",
        "input",
        "exec",
        "eval",
    } == set()


def _cycle(edges: dict[str, set[str]]) -> list[str]:
    """What remains when all that imports nothing else is taken away, again and again: cycles, and what needs them."""
    left = {node: {target for target in targets if target != node} for node, targets in edges.items()}
    while free := [node for node, targets in left.items() if not targets & left.keys()]:
        for node in free:
            del left[node]
    return sorted(left)


def test_no_module_imports_itself_by_a_detour() -> None:
    edges = {module: {found.name for found in OURS if found.module == module and found.at_import} for module in MODULES}
    assert _cycle(edges) == []


def test_no_part_of_the_house_imports_itself_by_a_detour() -> None:
    """Imports inside functions and for type checkers count here: they are dependencies all the same."""
    edges: dict[str, set[str]] = {}
    for found in OURS:
        if found.module and found.name:
            edges.setdefault(found.module.split(".")[0], set()).add(found.name.split(".")[0])
    assert _cycle(edges) == []


# ---------------------------------------------------------------------------------------------------- front door

HEAVY = ("sqlalchemy", "aiohttp", "pyarrow", "numpy", "alembic", "aiosqlite", "sqlite3")


def _loaded_by(program: str) -> list[str]:
    program += f"\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    found = done.stderr.strip().splitlines()[-1]
    loaded = ast.literal_eval(found)
    assert isinstance(loaded, list)
    return loaded


def test_the_front_door_loads_nothing_heavy() -> None:
    assert _loaded_by("import lmsys_store") == []


def test_queries_and_records_load_nothing_heavy() -> None:
    names = "Query, fields, Conversation, Message, Moderation, Labels, Origin, Filters, errors"
    assert _loaded_by(f"from lmsys_store import {names}\nQuery.of(language='en')") == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["query", "--help"], ["sync", "--help"]], ids=" ".join
)
def test_the_command_lines_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom lmsys_store.cli import main\n"
        f"sys.argv = ['lmsys-store', *{arguments}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    assert _loaded_by(program) == []


def test_the_check_itself_sees_what_is_loaded() -> None:
    assert _loaded_by("import sqlite3") == ["sqlite3"]


def test_the_public_names_are_sorted_listed_and_there() -> None:
    assert list(lmsys_store.__all__) == sorted(set(lmsys_store.__all__))
    assert dir(lmsys_store) == sorted([*lmsys_store.__all__, "__version__"])
    assert all(getattr(lmsys_store, name) is not None for name in lmsys_store.__all__)


def test_the_names_for_type_checkers_are_the_public_names() -> None:
    named = {found.name for found in OURS if found.module == "" and not found.at_import}
    tree = ast.parse(MODULES[""].read_text(encoding="utf-8"))
    guarded = [node for node, runs in _nodes(tree, at_import=True) if isinstance(node, ast.ImportFrom) and not runs]
    assert named
    assert sorted(alias.asname or alias.name for node in guarded for alias in node.names) == sorted(lmsys_store.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = lmsys_store.Nothing


# -------------------------------------------------------------------------------------------------------- errors

ERRORS = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
}  # fmt: skip


def _drawn() -> dict[str, str | None]:
    """Each error of the docstring's tree with the one it hangs from."""
    found: dict[str, str | None] = {}
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.fullmatch(r" {4}([│├└─ ]*)([A-Z]\w+Error)(?: {2,}.*)?", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        above[depth] = match[2]
        found[match[2]] = above.get(depth - 1)
    return found


def test_every_error_is_drawn_where_it_hangs() -> None:
    bases = {
        name: next((base.__name__ for base in kind.__bases__ if base.__name__ in ERRORS), None)
        for name, kind in ERRORS.items()
    }
    assert _drawn() == bases
    assert [name for name, base in bases.items() if base is None] == ["LmsysStoreError"]


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_pickles(name: str) -> None:
    """Workers send them between processes."""
    error = ERRORS[name]("what happened; what to do", 7)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.args, str(copy)) == (type(error), error.args, str(error))


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(ERRORS[name]) != inspect.getdoc(Exception)
    assert ERRORS[name].__doc__ is not None


def test_errors_that_may_pass_are_marked() -> None:
    transient = [name for name, kind in ERRORS.items() if getattr(kind, "transient", False)]
    drawn = re.findall(r"(\w+Error) .*\(transient\)", errors.__doc__ or "")
    assert drawn == transient
    assert {"StoreBusyError", "StoreLockedError", "RemoteUnavailableError", "DeadlineError"} < set(transient)
