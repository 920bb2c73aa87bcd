"""``types_check.py``, which mypy checks, uses all that the package exports."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
import tokenbook

CHECKED = Path(__file__).with_name("types_check.py")
PUBLIC = [found.name for found in pkgutil.walk_packages(tokenbook.__path__, "tokenbook.") if "._" not in found.name]
MODULES = ["tokenbook", *sorted(PUBLIC)]


def test_the_modules_are_found() -> None:
    assert set(MODULES) >= {"tokenbook.errors", "tokenbook.litellm", "tokenbook.services.usage_log", "tokenbook.types"}


@pytest.mark.parametrize("name", MODULES)
def test_every_export_is_used(name: str) -> None:
    module = importlib.import_module(name)
    exported = {name for name in vars(module) if not name.startswith("_")} & set(getattr(module, "__all__", ()))
    assert exported == set(getattr(module, "__all__", ())), "what is listed is there"
    used = {
        node.attr
        for node in ast.walk(ast.parse(CHECKED.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name.rpartition(".")[2]
    }
    assert exported - used == set(), f"{CHECKED.name} uses all of {name}"
