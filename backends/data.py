"""Reads `backends/NAME/backend.toml`, and rejects an unusable file with one sentence.

`backend.schema.json` has the keys, their types and what each means. What a schema cannot say is checked here:
placeholders, regular expressions, and tables that need each other.
"""

from __future__ import annotations

import json
import math
import re
import string
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from backends.errors import CannotMeasure
from backends.target import ROLES
from backends.wire import Role

HERE = Path(__file__).parent
SCHEMA = HERE / "backend.schema.json"

MODEL_WORDS = ("file", "model", "projector")
"""The placeholders that a role's table fills."""

_ON_START = ("port", "directory", *(f"upstream_{role}" for role in ROLES))
_TYPES = {"object": "a table", "array": "an array", "boolean": "true or false", "integer": "an integer"}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class BadBackend(CannotMeasure):
    """A backend.toml that cannot be used; `str()` says what is wrong in one sentence."""


def names() -> list[str]:
    """The names of the backends: the directories that have a backend.toml."""
    return sorted(file.parent.name for file in HERE.glob("*/backend.toml"))


def read_all() -> dict[str, dict[str, Any]]:
    """Every backend's data by its name. Raises BadBackend."""
    found: dict[str, dict[str, Any]] = {}
    for name in names():
        data = read(HERE / name / "backend.toml")
        for other, earlier in found.items():
            if earlier["title"] == data["title"]:
                raise BadBackend(
                    f"{_shown(name)}: {other} has the title {data['title']!r} too; give each backend its own title."
                )
        found[name] = data
    for name, data in found.items():
        upstream = data.get("deploy", {}).get("upstream")
        if upstream and ("process" not in found.get(upstream, {}) or "upstream" in found[upstream]["deploy"]):
            raise BadBackend(
                f"{_shown(name)}: expected a backend with [[process]] and without an `upstream` of its own, "
                f"got {upstream!r} (`deploy.upstream`)."
            )
    return found


def read(file: Path) -> dict[str, Any]:
    """A validated backend.toml. Raises BadBackend."""
    name = file.parent.name
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as problem:
        raise BadBackend(f"{_shown(name)} cannot be read as TOML: {problem}.") from None
    if said := _wrong_name(name) or wrong(data, file.parent):
        raise BadBackend(f"{_shown(name)}: {said}.")
    return data


def wrong(data: dict[str, Any], directory: Path) -> str:
    """What is wrong with the data of the backend in `directory`, in words; empty if nothing is."""
    return _against_schema(data, _schema()) or next(_beyond_schema(data, directory), "")


def _shown(name: str) -> str:
    return f"backends/{name}/backend.toml"


def _wrong_name(name: str) -> str:
    if _NAME.fullmatch(name):
        return ""
    return f"the directory's name {name!r} is the backend's: use lower-case letters, digits, `.`, `_` and `-`"


@cache
def _schema() -> dict[str, Any]:
    return dict(json.loads(SCHEMA.read_bytes()))


def _against_schema(data: object, schema: dict[str, Any]) -> str:
    """The first thing that the schema does not allow, in words; empty if there is none."""
    import jsonschema.validators  # Here, as it takes as long to import as all of this package.

    plain = jsonschema.Draft202012Validator
    # TOML tells 4 from 4.0, and has numbers that are not finite.
    types = plain.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_finite})
    kind: Any = jsonschema.validators.extend(plain, type_checker=types)
    validator = kind(schema, format_checker=jsonschema.FormatChecker(["regex"]))
    errors = sorted(validator.iter_errors(data), key=lambda error: list(map(str, error.absolute_path)))
    return _sentence(errors[0]) if errors else ""


def _about(schema: dict[str, Any]) -> str:
    """What a part of our schema says that a key is; empty if it says nothing."""
    whole = _schema()["$defs"].get(schema.get("$ref", "").rpartition("/")[2], {})
    return str(schema.get("description") or whole.get("description", ""))


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(_: object, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _sentence(error: Any) -> str:
    """A violation in words: what was expected, what came and where, or which keys are allowed."""
    where, rule, value = _path(error.absolute_path), error.validator, error.instance
    table = f"[{where}]" if where else "the file"
    if rule == "additionalProperties":
        allowed = sorted(error.schema["properties"])
        key = min(set(value) - set(allowed))
        return f"there is no key {_join(where, key)!r}; {table} may have {', '.join(allowed)}"
    if rule in ("required", "dependentRequired"):
        key = error.message.split("'")[1]
        about = _about(error.schema.get("properties", {}).get(key, {}))
        return f"{_join(where, key)!r} is missing" + (f": {about}" if about else "")
    if rule in ("oneOf", "anyOf"):
        keys = [one["required"][0] for one in error.schema[rule]]
        how = "exactly one" if rule == "oneOf" else "at least one"
        return f"expected {how} of the keys {', '.join(keys)} ({table})"
    got = json.dumps(value, default=str, ensure_ascii=False)[:80]
    return f"expected {_expected(rule, error.validator_value)}, got {got} (`{where}`)"


def _expected(rule: str, wanted: Any) -> str:
    """What a keyword of the schema requires, in words."""
    words = {"minimum": f"at least {wanted}", "maximum": f"at most {wanted}", "exclusiveMinimum": f"more than {wanted}"}
    words |= {"minItems": "at least one item", "minProperties": "at least one key", "format": "a regular expression"}
    if rule == "type":
        return _TYPES.get(wanted, f"a {wanted}")
    if rule == "pattern":
        return _PATTERNS.get(wanted, f"a string that matches {wanted}")
    return words[rule]


_PATTERNS = {
    r"^[^\x00]*[^\x00\s][^\x00]*$": "a string that is not empty and has no null character",
    r"^[^\x00]*$": "a string without a null character",
    r"^\w+(\.\w+)*$": "the name of a Python module",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of a variable of the environment",
    r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$": "at least two letters, digits, `_`, `.` or `-`",
    r"^(\S+:)?\d+$": "a port, or HOST:PORT",
    "^/": "a string that begins with /",
    "^https?://": "an address that begins with http:// or https://",
    "^https?://[^/]": "an address that begins with http:// or https://",
}


def _path(parts: Iterable[str | int]) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _join(path, part)
    return path


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _beyond_schema(data: dict[str, Any], directory: Path) -> Iterator[str]:
    """What is wrong although the schema allows it, each in words."""
    attach, deploy, box = data.get("attach", {}), data.get("deploy"), data.get("container")
    for number, url in enumerate(attach.get("urls", ())):
        yield from _placeholders(url, f"attach.urls[{number}]", tuple(attach.get("defaults", {})), "attach.defaults")
    if attach.get("urls") and not attach.get("recognise"):
        yield "'attach.recognise' is missing: what answers at one of the `urls` may be another server"
    asks = [(f"attach.{key}", attach[key]) for key in ("version", "slots", "code_path") if key in attach]
    asks += [(f"attach.recognise[{number}]", ask) for number, ask in enumerate(attach.get("recognise", ()))]
    asks += [(f'attach.facts."{name}"', ask) for name, ask in attach.get("facts", {}).items()]
    asks += [(f"doctor.{key}", ask) for key, ask in data.get("doctor", {}).items() if isinstance(ask, dict)]
    for where, ask in asks:
        yield from _placeholders(ask["key"], f"{where}.key", ("model",), where)
    for table in ("process", "container"):
        if table in data and deploy is None:
            yield f"[{table}] needs [deploy], which says which models the server gets"
    if deploy is None:
        return
    if "process" not in data and box is None:
        yield "[deploy] needs [[process]] or [container], which say what is started"
    if "process" in data and "health" not in deploy:
        yield f"'deploy.health' is missing: {_schema()['$defs']['deploy']['properties']['health']['description']}"
    if "device" in deploy and re.compile(deploy["device"]).groups != 1:
        yield f"expected a regular expression with one group, got {deploy['device']!r} (`deploy.device`)"
    if "upstream" in deploy and box is not None:
        yield "[container] cannot be used with `deploy.upstream`: a gateway is started as a process only"
    yield from _hook(deploy, directory)
    yield from _of_processes(data, deploy)
    if box is not None:
        yield from _of_containers(box, deploy)


def _of_processes(data: dict[str, Any], deploy: dict[str, Any]) -> Iterator[str]:
    for number, process in enumerate(data.get("process", ())):
        own = "python" if "module" in process else "program"
        allowed = (own, *_words(deploy, roles_of(deploy)))
        for index, part in enumerate(process["command"]):
            yield from _placeholders(part, f"process[{number}].command[{index}]", allowed, "deploy")
        if "found" in process:
            yield from _placeholders(process["found"], f"process[{number}].found", (own,), "process")
    for name, value in deploy.get("key", {}).items():
        yield from _placeholders(value, f"deploy.key.{name}", ("key",), "deploy")
    for path, table, roles in _tables_of(deploy):
        for number, arg in enumerate(table.get("args", ())):
            yield from _placeholders(arg, f"{path}.args[{number}]", _words(deploy, roles), path)
        for name, value in table.get("env", {}).items():
            yield from _placeholders(value, f"{path}.env.{name}", _words(deploy, roles), path)


def _of_containers(box: dict[str, Any], deploy: dict[str, Any]) -> Iterator[str]:
    devices = {name: box[name] for name in ("rocm", "cuda", "cpu") if name in box}
    tables = {"container": box} | {f"container.{name}": device for name, device in devices.items()}
    tables |= {f"{path}.probe": table["probe"] for path, table in tables.items() if "probe" in table}
    tables |= {"container.model": box["model"]} if "model" in box else {}
    for path, table in tables.items():
        for number, arg in enumerate(table.get("args", ())):
            for word in re.findall(r"(?<!\$)\{(\w+)\}", arg):
                if word not in ("file", "model"):
                    yield f"{{{word}}} is not a placeholder here; {{file}} and {{model}} are (`{path}.args[{number}]`)"
    for role in roles_of(deploy):
        for number, arg in enumerate(deploy[role].get("args", ())):
            if "{directory}" in arg:
                yield f"{{directory}} cannot be used in flags that containers get too (`deploy.{role}.args[{number}]`)"
        if "file" not in deploy[role] and "hook" not in deploy and not deploy.get("one_server"):
            yield f"'deploy.{role}.file' is missing: a container needs the model's file"


def _hook(deploy: dict[str, Any], directory: Path) -> Iterator[str]:
    """Whether the tables for a backend's own code are as that code wants them."""
    parts = {"deploy.hook": deploy["hook"]} if "hook" in deploy else {}
    parts |= {f"deploy.{role}.hook": deploy[role]["hook"] for role in roles_of(deploy) if "hook" in deploy[role]}
    if not parts:
        return
    if "hook" not in deploy:
        yield f"{min(parts)!r} needs the table [deploy.hook], which may be empty"
    files = [directory / name for name in ("hook.py", "hook.schema.json")]
    if missing := [file.name for file in files if not file.is_file()]:
        yield f"[deploy.hook] needs {' and '.join(missing)} in backends/{directory.name}"
        return
    schema = json.loads(files[1].read_bytes())
    for path, table in parts.items():
        which = "deploy" if path == "deploy.hook" else "role"
        if wrong := _against_schema(table, {**schema, "$ref": f"#/$defs/{which}"}):
            yield f"in [{path}], {wrong}"


def roles_of(deploy: dict[str, Any]) -> list[Role]:
    """The roles that have a model in a [deploy] table."""
    return [role for role in ROLES if role in deploy]


def _tables_of(deploy: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], list[Role]]]:
    """The tables with flags or variables of processes, and the roles whose servers get them."""
    roles = roles_of(deploy)
    yield "deploy", deploy, roles
    yield "deploy.probe", deploy.get("probe", {}), roles
    for role in roles:
        yield f"deploy.{role}", deploy[role], [role]
    yield "deploy.dialects", deploy.get("dialects", {}), ["chat"]


def _words(deploy: dict[str, Any], roles: list[Role]) -> tuple[str, ...]:
    """The placeholders that can be filled for the servers of these roles."""
    of_models = [word for word in MODEL_WORDS if all(word in deploy[role] for role in roles)]
    upstream = "upstream" in deploy
    return (*of_models, *(word for word in _ON_START if upstream or not word.startswith("upstream_")))


def _placeholders(text: str, where: str, allowed: tuple[str, ...], source: str) -> Iterator[str]:
    """What is wrong with the `{placeholders}` of a string."""
    try:
        parts = [part for part in string.Formatter().parse(text) if part[1] is not None]
    except ValueError:
        yield f"a brace that is not a placeholder's must be doubled, {{{{ or }}}}; got {text!r} (`{where}`)"
        return
    for _, name, form, conversion in parts:
        if name not in allowed or form or conversion:
            these = ", ".join(f"{{{one}}}" for one in allowed) or "none"
            yield f"the placeholder {{{name}}} cannot be filled (`{where}`); allowed by [{source}]: {these}"
