"""All faults by name. A module of this package is an area; the decorators in `kit` add to the table."""

from __future__ import annotations

import importlib
import pkgutil

from tests.reference.fault import Fault
from tests.reference.faults import kit, pairs

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

FAULTS: dict[str, Fault] = kit.FAULTS
_BY_NAME = {**FAULTS, **pairs.PAIRS}


class UnknownFault(Exception):
    """No fault has this name: an error of the caller, not of the server."""


def get(fault: str | Fault) -> Fault:
    if isinstance(fault, Fault):
        return fault
    if fault not in _BY_NAME:
        raise UnknownFault(fault)
    return _BY_NAME[fault]
