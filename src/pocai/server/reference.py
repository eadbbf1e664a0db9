"""The API's reference for readers, from its OpenAPI description: as Markdown (docs/API.md) and as one HTML page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1e1e22 }
h2 { margin-top: 3rem; border-bottom: 1px solid #969aa4 }
h3 { margin-top: 2.5rem }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f2f3f5 }
pre { padding: .75rem; overflow-x: auto }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border: 1px solid #d5d7dc; padding: .3rem .6rem; text-align: left; vertical-align: top }
@media (prefers-color-scheme: dark) {
  body { background: #16171a; color: #e6e7ea }
  code, pre { background: #24262b }
  td, th { border-color: #44474f }
}
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a level from 1."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text, with `code` between backticks."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it is, in a language."""

    language: str
    text: str


Block = Heading | Paragraph | Items | Table | Code


def reference(document: Mapping[str, Any]) -> tuple[Block, ...]:
    """The whole reference: introduction, every operation by tag, every type."""
    return tuple(_blocks(document))


def _blocks(document: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading(1, f"{document['info']['title']}: API")
    yield from _text(document["info"]["description"])
    yield _overview(document)
    yield from _problems(document)
    shown = set[str]()
    for tag in document["tags"]:
        yield Heading(2, tag.get("x-displayName", tag["name"]))
        yield from _text(tag["description"])
        for method, path, operation in _operations(document):
            if tag["name"] in operation["tags"]:
                yield Heading(3, f"{method} {path}")
                yield from _short(operation) if operation.get("deprecated") else _operation(operation, document, shown)
    yield Heading(2, "Types")
    for name, schema in document["components"]["schemas"].items():
        yield from _type(name, schema)


def _overview(document: Mapping[str, Any]) -> Table:
    """Every operation in the order of the tags."""
    order = [tag["name"] for tag in document["tags"]]
    found = sorted(_operations(document), key=lambda each: order.index(each[2]["tags"][0]))
    rows = ((f"`{method} {path}`", operation["summary"]) for method, path, operation in found)
    return Table(("operation", "what it does"), tuple(rows))


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _text(text: str) -> Iterator[Block]:
    """Paragraphs, and lists of lines that begin with a dash."""
    for part in re.split(r"\n\s*\n", text.strip()):
        if part.startswith("- "):
            yield Items(tuple(_joined(item) for item in re.split(r"^- ", part, flags=re.MULTILINE)[1:]))
        else:
            yield Paragraph(_joined(part))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _short(operation: Mapping[str, Any]) -> Iterator[Block]:
    yield Paragraph(f"{operation['summary']}. {_joined(operation.get('description', ''))}")


def _operation(operation: Mapping[str, Any], document: Mapping[str, Any], shown: set[str]) -> Iterator[Block]:
    """One operation; examples of the types that are ``shown`` already are left out."""
    yield Paragraph(f"{operation['summary']}. {_scopes(operation)}")
    yield from _text(operation.get("description", ""))
    yield from _parameters(operation.get("parameters", ()))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield Paragraph(f"Body as `{media}`:")
        yield _fields(_resolved(content["schema"], document), "required")
    if samples := operation.get("x-codeSamples"):
        yield Code("sh", "\n".join(sample["source"] for sample in samples))
    yield from _answers(operation["responses"], shown)


def _scopes(operation: Mapping[str, Any]) -> str:
    """Which scope is needed, in words."""
    needed = sorted({scope for way in operation.get("security", ()) for scopes in way.values() for scope in scopes})
    if needed:
        return f"Needs the scope {' and '.join(f'`{scope}`' for scope in needed)}."
    return "For the host application." if operation.get("security") else "For everybody."


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> Iterator[Block]:
    rows = tuple(
        (f"`{each['name']}`", each["in"], _kind(each["schema"]), _joined(each.get("description", "")))
        for each in parameters
    )
    if rows:
        yield Table(("parameter", "in", "type", "meaning"), rows)


def _answers(responses: Mapping[str, Any], shown: set[str]) -> Iterator[Block]:
    """What comes back: of errors in the common shape only the status, for their meaning stands above."""
    told = {status: answer for status, answer in sorted(responses.items()) if not _is_problem(answer)}
    rows = tuple((status, _media(answer), _joined(answer["description"])) for status, answer in told.items())
    yield Table(("status", "as", "meaning"), rows)
    if problems := sorted(responses.keys() - told.keys()):
        yield Paragraph(f"Errors: {', '.join(problems)}.")
    for status, answer in told.items():
        if "text/event-stream" in answer.get("content", {}):
            yield Code("text", answer["content"]["text/event-stream"]["example"].strip())
        content = answer.get("content", {}).get("application/json", {})
        name = f"{_kind(content.get('schema', {}))} {status}"
        if "example" in content and status < "400" and name not in shown:
            shown.add(name)
            yield Paragraph(f"Answer {status}, shortened:")
            yield Code("json", _json(content["example"]))


def _problems(document: Mapping[str, Any]) -> Iterator[Block]:
    """Every error in the common shape, and what one looks like."""
    found = {
        status: answer
        for _, _, operation in _operations(document)
        for status, answer in operation["responses"].items()
        if _is_problem(answer)
    }
    if not found:
        return
    examples = {status: answer["content"]["application/json"]["example"] for status, answer in found.items()}
    yield Heading(2, "Errors")
    rows = (
        (status, f"`{examples[status]['error']['code']}`", found[status]["description"]) for status in sorted(found)
    )
    yield Table(("status", "code, among others", "meaning"), tuple(rows))
    yield Code("json", _json(examples[max(examples)]))


def _is_problem(answer: Mapping[str, Any]) -> bool:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).endswith("/ErrorAnswer")


def _media(answer: Mapping[str, Any]) -> str:
    """Media types, with the name of the type where it has one."""
    found = ((media, _kind(content.get("schema", {}))) for media, content in answer.get("content", {}).items())
    return ", ".join(f"{kind} as `{media}`" if kind[:1].isupper() else f"`{media}`" for media, kind in found)


def _json(example: Any) -> str:
    """Indented, but lists of numbers on one line."""
    text = json.dumps(example, indent=2, ensure_ascii=False)
    return re.sub(r"\[([\s\d.,-]+)\]", lambda found: f"[{', '.join(found[1].replace(',', ' ').split())}]", text)


def _type(name: str, schema: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading(3, name)
    if schema.get("description"):
        yield from _text(schema["description"].replace("``", "`"))
    if "enum" in schema:
        yield Paragraph(f"One of {', '.join(f'`{value}`' for value in schema['enum'])}.")
    if schema.get("properties"):
        yield _fields(schema, "always")


def _fields(schema: Mapping[str, Any], required_is: str) -> Table:
    required = set(schema.get("required", ()))
    rows = tuple(
        (
            f"`{name}`",
            _kind(field),
            "yes" if name in required else "",
            _joined(field.get("description", "")).replace("``", "`"),
        )
        for name, field in schema.get("properties", {}).items()
    )
    return Table(("field", "type", required_is, "meaning"), rows)


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    """A type in few words: ``integer``, ``list of Timetable``, ``string or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        of = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"list of {_kind(of)}" if of else "list"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_kind(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "anything")


# --- written out -------------------------------------------------------------------------------------------------


def markdown(blocks: Sequence[Block]) -> str:
    """The reference as GitHub's Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Paragraph(text):
            return text
        case Items(items):
            return "\n".join(f"- {item}" for item in items)
        case Code(language, text):
            return f"```{language}\n{text}\n```"
        case Table(head, rows):
            lines = (head, tuple("---" for _ in head), *rows)
            return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def html(blocks: Sequence[Block]) -> str:
    """The reference as a page of its own, without scripts, pictures or links to elsewhere."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n{body}\n</html>\n'
    )


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Items(items):
            return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
        case Code(_, text):
            return f"<pre>{escape(text)}</pre>"
        case Table(head, rows):
            lines = (_row("th", head), *(_row("td", row) for row in rows))
            return f"<table>{''.join(lines)}</table>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_inline(cell)}</{tag}>' for cell in cells)}</tr>"


def _inline(text: str) -> str:
    """Escaped, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
