"""uWSGI's JSON and YAML: an object `uwsgi` whose names are options."""

from __future__ import annotations

import json

from rgunicorn.uwsgi_import.option import Option, Place, Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def read_json(text: str, file: str, key: str) -> list[Option]:
    """The options of a JSON file.

    Args:
        text: of the whole file.
        file: its name in messages.
        key: of the object that holds them.

    Raises:
        Unreadable: no JSON, or no such object in it.
    """
    try:
        # Pairs, as uWSGI takes names that come back.
        document = json.loads(text, object_pairs_hook=list, parse_constant=str)
    except RecursionError:
        raise Unreadable(f"{file}: it is nested too deeply") from None
    except ValueError as exc:
        raise Unreadable(f"{file}:{getattr(exc, 'lineno', 1)}: {exc}") from None
    found = [value for name, value in _pairs(document) if name == key and isinstance(value, list)]
    if not found:
        raise Unreadable(f"{file}: there is no object {key!r} at its top")
    return list(_json_options(found[0], file))


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, list):
        return []
    return [entry for entry in value if isinstance(entry, tuple)]


def _json_options(pairs: list[Any], file: str) -> Iterator[Option]:
    place = Place(file, 0)
    for name, value in _pairs(pairs):
        # An object is a list of pairs, and an empty one could be either.
        several = isinstance(value, list) and value and not isinstance(value[0], tuple)
        for one in value if several else [value]:
            if one is None or isinstance(one, (list, dict)):
                yield Option(name, "", place, f'"{name}": ...', unclear="it is no single value")
            else:
                yield Option(name, _scalar(one), place, f'"{name}": {json.dumps(one)}')


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def read_yaml(text: str, file: str, key: str) -> list[Option]:
    """The options of a YAML file. Arguments and errors as of `read_json`, and PyYAML must be there.

    Only the tree of nodes is made, so no tag makes an object.
    """
    from importlib import import_module

    try:
        yaml: Any = import_module("yaml")
    except ImportError:
        raise Unreadable(
            f"{file}: YAML is read by the package PyYAML: pip install PyYAML, or write the same "
            "as ini."
        ) from None

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise Unreadable(f"{file}: it is nested too deeply") from None
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(exc, "problem", None) or "it is no YAML"
        raise Unreadable(f"{file}{line}: {problem}") from None
    except ValueError as exc:
        raise Unreadable(f"{file}: {exc}") from None
    entries = root.value if isinstance(root, yaml.MappingNode) else []
    for name, value in entries:
        if name.value == key and isinstance(value, yaml.MappingNode):
            return list(_yaml_options(value, file))
    raise Unreadable(f"{file}: there is no mapping {key!r} at its top")


def _yaml_options(mapping: Any, file: str) -> Iterator[Option]:
    for name, value in mapping.value:
        label = name.value if isinstance(name.value, str) else "?"
        several = value.id == "sequence" and value.value
        for one in value.value if several else [value]:
            place = Place(file, one.start_mark.line + 1)
            if isinstance(one.value, str):
                text = None if one.tag.endswith(":null") and not one.value else one.value
                yield Option(label, text, place, f"{label}: {one.value}")
            else:
                yield Option(label, "", place, f"{label}: ...", unclear="it is no single value")
