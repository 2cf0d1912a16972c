"""Every check of the suite, without running pytest."""

from __future__ import annotations

import importlib
import pkgutil

from conformance.requirements.check import CHECKS, Check


def load() -> dict[str, Check]:
    """Import every module of `conformance.checks`, and return `CHECKS`."""
    from conformance import checks

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return CHECKS
