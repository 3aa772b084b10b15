"""The rules. Each module offers `name`, `explain` and `check(tree) -> list[Finding]`; some offer
`fix(tree)`, which mends what can be mended without judgement."""

from __future__ import annotations

import importlib
from types import ModuleType

ORDER = (
    "ladder",
    "contract",
    "self_sufficient",
    "sizes",
    "opening",
    "forbidden",
    "confined",
    "unused",
    "globals",
    "vector",
    "thread_safety",
    "format",
    "clang_tidy",
    "documents",
    "generated",
)


def load() -> list[ModuleType]:
    """All rules, in the order in which they are run and listed."""
    rules = [importlib.import_module(f"{__name__}.{module}") for module in ORDER]
    assert [rule.name for rule in rules] == list(ORDER)
    return rules
