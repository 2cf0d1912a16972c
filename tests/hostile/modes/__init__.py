"""All modes, by what the server does."""

from tests.hostile.modes import broken, keys, large, misled, shown, slow  # noqa: F401
