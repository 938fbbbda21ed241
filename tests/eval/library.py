"""Real documentation that nobody here wrote, installed with the product: one file per chapter, package or module.

Optionally the manuals of PostgreSQL and SQLite as Debian packages, unpacked (never installed) into a cache folder
outside the repository; where they cannot be had, the questions about them are skipped with a line that says so.
"""

import importlib
import inspect
import os
import subprocess
from collections.abc import Iterator, Set
from pathlib import Path
from types import ModuleType

from tests.eval.files import words_of
from tests.support.texts import package_descriptions, python_topics

MODULES = words_of("modules")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "swissbrain-eval"
DEBIAN = {"postgresql-doc-15": "usr/share/doc/postgresql-doc-15/html", "sqlite3-doc": "usr/share/doc/sqlite3"}
DESCRIPTIONS_MAX = 400


def library() -> dict[str, bytes]:
    """Return the documentation that is installed with the product, by file name."""
    files = {f"topic-{name}": text.encode() for name, text in python_topics().items()}
    files |= {f"package-{name}": text.encode() for name, text in package_descriptions(DESCRIPTIONS_MAX).items()}
    files.pop("package-swissbrain.md", None)  # Nobody here wrote it, we said.
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if len(text := _reference(module)) > 200:
            files[f"module-{name}.md"] = text.encode()
    return files


def _reference(module: ModuleType) -> str:
    """Write a module's docstrings as a page: itself, then its public functions and classes."""
    parts = [f"# {module.__name__}", inspect.getdoc(module) or ""]
    for name, member in _public(module):
        if text := inspect.getdoc(member):
            parts += [f"## {module.__name__}.{name}", text]
        if inspect.isclass(member):
            for method, function in sorted(vars(member).items()):
                if not method.startswith("_") and callable(function) and (text := inspect.getdoc(function)):
                    parts += [f"### {name}.{method}", text]
    return "\n\n".join(part for part in parts if part) + "\n"


def _public(module: ModuleType) -> Iterator[tuple[str, object]]:
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    for name in sorted(names):
        member = getattr(module, name, None)
        if inspect.isclass(member) or inspect.isroutine(member):
            own = str(getattr(member, "__module__", "") or "")
            if own.split(".")[0].lstrip("_") == module.__name__.split(".")[0] or not own:
                yield name, member


PAGES_EVERY = 5


def debian_manuals(wanted: Set[str]) -> tuple[dict[str, bytes], str]:
    """Return the wanted pages of the Debian manuals among every fifth of the others, so that reading them ends.

    Returns: the pages by name, and what to say where they cannot be had.
    """
    files: dict[str, bytes] = {}
    for package, folder in DEBIAN.items():
        try:
            root = _unpacked(package) / folder
        except (OSError, subprocess.SubprocessError) as reason:
            return {}, f"skipped: the Debian manuals cannot be had here ({type(reason).__name__})"
        for number, page in enumerate(sorted(root.rglob("*.html"))):
            name = f"{package.split('-')[0]}-{page.name}"
            if name in wanted or (number % PAGES_EVERY == 0 and 500 < page.stat().st_size < 200_000):
                files[name] = page.read_bytes()
    return files, ""


def _unpacked(package: str) -> Path:
    target = CACHE / package
    if not (target / "usr").is_dir():
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=target, check=True, capture_output=True, timeout=120)
        archive = next(target.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive.name, "."], cwd=target, check=True, capture_output=True, timeout=120)
    return target
