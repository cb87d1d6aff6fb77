"""From the data of a target file to a checked `TargetPart`, or to everything that is wrong with it."""

from collections.abc import Iterable, Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dovetail.plan.naming import meant
from dovetail.targets.document import Mistake, MistakeError, Source, mistake_at
from dovetail.targets.json_schema import fields_at
from dovetail.targets.rules.base import Rule
from dovetail.targets.schema import TargetPart

_Path = tuple[int | str, ...]

_SHOWN = 60
"""Characters of a value that a message quotes."""


def parse(source: Source) -> TargetPart:
    """Return the target that `source` describes.

    Raises:
        MistakeError: the text names file, line and field of the first mistake and how many more there are.
    """
    part, mistakes = examine(source)
    if part is None or mistakes:
        raise MistakeError(mistakes[0], len(mistakes) - 1)
    return part


def examine(source: Source) -> tuple[TargetPart | None, list[Mistake]]:
    """Return the target, None where it breaks the schema, and every mistake, by line."""
    try:
        part = TargetPart.model_validate(source.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        mistakes = [mistake_at(source, detail["loc"], _problem(detail)) for detail in details]
        return None, _sorted(mistakes)
    return part, _sorted(mistake_at(source, path, problem) for path, problem in _references(part))


def _sorted(mistakes: Iterable[Mistake]) -> list[Mistake]:
    return sorted(mistakes, key=lambda mistake: (mistake.file, mistake.line))


def _problem(detail: ErrorDetails) -> str:
    """Return one of pydantic's findings in the words of the language: what was got, what is allowed."""
    kind, got = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return f"no such field; {meant(str(detail['loc'][-1]), fields_at(detail['loc'][:-1]))}"
    if kind == "union_tag_invalid":
        kinds = [name.strip(" '") for name in str(context["expected_tags"]).split(",")]
        return f"no rule kind {context['tag']!r}; {meant(str(context['tag']), kinds)}"
    if kind == "union_tag_not_found":
        return "a rule needs its kind, such as kind: rank"
    message = detail["msg"].replace("\n", " ")
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    quoted = repr(got)
    short = quoted if len(quoted) <= _SHOWN else quoted[:_SHOWN] + "..."
    return f"{message.replace('Input should be', 'must be')}, got {short}"


def _references(part: TargetPart) -> Iterator[tuple[_Path, str]]:
    """Yield rule sets and sources that are named and not there."""
    for path, sources in _cited(part):
        for key in sources:
            if key.partition("#")[0] not in part.sources:
                yield path, f"no source {key!r}; {meant(key, part.sources)}"
    for number, device in enumerate(part.devices):
        for key, forms in device.ops.items():
            for index, form in enumerate(forms):
                for name in form.use:
                    if name not in part.rule_sets:
                        path = ("devices", number, "ops", key, index, "use")
                        yield path, f"no rule set {name!r}; {meant(name, part.rule_sets)}"


def _cited(part: TargetPart) -> Iterator[tuple[_Path, tuple[str, ...]]]:
    for path, rule in rules_of(part):
        yield (*path, "source"), rule.source
    for number, device in enumerate(part.devices):
        for key, forms in device.ops.items():
            for index, form in enumerate(forms):
                yield ("devices", number, "ops", key, index, "source"), form.source


def rules_of(part: TargetPart) -> Iterator[tuple[_Path, Rule]]:
    """Yield every rule that stands in the file, with where it stands."""
    for name, rules in part.rule_sets.items():
        yield from _numbered(("rule_sets", name), rules)
    for number, device in enumerate(part.devices):
        yield from _numbered(("devices", number, "rules"), device.rules)
        for key, forms in device.ops.items():
            for index, form in enumerate(forms):
                yield from _numbered(("devices", number, "ops", key, index, "rules"), form.rules)


def _numbered(path: _Path, rules: Iterable[Rule]) -> Iterator[tuple[_Path, Rule]]:
    for index, rule in enumerate(rules):
        yield (*path, index), rule
