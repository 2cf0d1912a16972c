"""Wiring only: the suite's plugin, and the one that writes its pages."""

pytest_plugins = ["conformance.plugin", "reports.plugin"]
