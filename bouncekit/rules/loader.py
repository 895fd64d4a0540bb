"""Reads rule tables from files: the built-in ones from package data, a user's from a path or a mapping."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bouncekit.rules.table import RuleError, Table, table_from

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["TABLES", "builtin", "load", "read_data"]

TABLES = Path(__file__).with_name("tables")
_FOLDERS = ("providers", "gateways", "blocklists", "software", "phrases")
_RULE_HEADER = re.compile(r"^\s*\[\[\s*rule\s*\]\]", re.MULTILINE)


def builtin() -> tuple[Table, ...]:
    """The tables that come with bouncekit, in a fixed order."""
    return tuple(
        table
        for folder in _FOLDERS
        for path in sorted((TABLES / folder).glob("*.toml"))
        for table in _read(path, path.relative_to(TABLES.parent).as_posix(), folder, user=False)
    )


def load(source: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[Table, ...]:
    """A user's tables.

    :param source: a TOML file, a folder of them, or a mapping as TOML would give it.
    :raises RuleError: where a file cannot be read or a table is broken.
    """
    if isinstance(source, Mapping):
        digest = _digest(json.dumps(source, sort_keys=True, default=str))
        return (table_from(source, file="<mapping>", user=True, digest=digest),)
    path = Path(source)
    if path.is_dir():
        files = sorted(path.rglob("*.toml"))
        if not files:
            raise RuleError("there is no .toml file in this folder", file=str(path))
        return tuple(table for file in files for table in _read(file, str(file), file.parent.name, user=True))
    return tuple(_read(path, str(path), path.parent.name, user=True))


def read_data(name: str) -> dict[str, Any]:
    """One of the built-in tables that are not rules: codes, causes, doubts."""
    return tomllib.loads((TABLES / name).read_text(encoding="utf-8"))


def _read(path: Path, file: str, folder: str, *, user: bool) -> Iterator[Table]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise RuleError(f"is not UTF-8: {error.reason}", file=file) from error
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"is not TOML: {error}", file=file) from error
    headers = [text.count("\n", 0, match.start()) + 1 for match in _RULE_HEADER.finditer(text)]
    yield table_from(data, file=file, folder=folder, lines=headers, user=user, digest=_digest(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
