"""What stops a run before anything can be measured: one sentence that says what to do, and an exit code."""


class CannotMeasure(Exception):
    """A target that cannot be measured. `str()` is one sentence for the user; `exit_code` ends pytest."""

    exit_code = 10


class Unreachable(CannotMeasure):
    """Nothing answers at the address."""

    exit_code = 11


class NotOpenAI(CannotMeasure):
    """Something answers, but not as an OpenAI API does."""

    exit_code = 12


class NoModel(CannotMeasure):
    """The server lists no model, and none was named."""

    exit_code = 13


class KeyRefused(CannotMeasure):
    """The server wants an API key, or another one."""

    exit_code = 14


class CannotWrite(CannotMeasure):
    """The results can no longer be written, for example because the disk is full."""

    exit_code = 16


class CannotStart(CannotMeasure):
    """A server that this run was to start did not come up."""

    exit_code = 15


class NoReader(CannotStart):
    """The server has no parser for tool calls in the notation with which it should be started."""
