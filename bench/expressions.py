"""DynamoDB's expressions, as far as the functions use them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

Item = dict[str, Any]
Value = dict[str, Any]  # such as {"N": "1"}

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NAME = r"[#\w]+"
_CLAUSES = re.compile(r"\b(SET|ADD|REMOVE)\b")
_ASSIGNMENT = re.compile(rf"\s*({_NAME})\s*=\s*((?:[^,(]|\([^)]*\))+)")
_COMPARISON = re.compile(rf"({_NAME})\s*(=|<>|<=|>=|<|>)\s*(:\w+)")
_NOT_GREATER = re.compile(rf"NOT ({_NAME})\s*>\s*(:\w+)")
_FUNCTION = re.compile(rf"(attribute_exists|attribute_not_exists)\s*\(\s*({_NAME})\s*\)")
_UPDATE = re.compile(
    r'UPDATE "(?P<table>[^"]+)" (?P<changes>(?:SET "\w+" = \? )+)'
    r'WHERE "(?P<key>\w+)" = \? AND "(?P<attribute>\w+)" (?P<sign>[<>]) \?'
)
_DEFAULT = re.compile(rf"if_not_exists\s*\(\s*({_NAME})\s*,\s*(:\w+)\s*\)")


class UnknownExpressionError(ValueError):
    """An expression that the stand-in does not support."""


class Expressions:
    """Evaluate the expressions of one request with its names and values."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names: Mapping[str, str] = request.get("ExpressionAttributeNames", {})
        self._values: Mapping[str, Value] = request.get("ExpressionAttributeValues", {})

    def holds(self, condition: str | None, item: Item | None) -> bool:
        """Return whether an item meets a condition without nested parentheses."""
        if not condition:
            return True
        return any(all(self._term(*term, item or {}) for term in terms) for terms in _condition(condition))

    def update(self, expression: str, item: Item) -> Item:
        """Return the updated item."""
        changed = dict(item)
        for clause, name, value in _changes(expression):
            attribute = self._name(name)
            match clause:
                case "SET":
                    changed[attribute] = self._value(value, item)
                case "ADD":
                    changed[attribute] = _sum(item.get(attribute, {"N": "0"}), self._values[value])
                case _:
                    changed.pop(attribute, None)
        return changed

    def _name(self, name: str) -> str:
        return self._names[name] if name.startswith("#") else name

    def _value(self, text: str, item: Item) -> Value:
        if text.startswith(":"):
            return self._values[text]
        if " + " in text:
            first, second = text.split(" + ")
            return _sum(self._value(first.strip(), item), self._value(second.strip(), item))
        if default := _DEFAULT.fullmatch(text):
            return item.get(self._name(default[1])) or self._values[default[2]]
        return item[self._name(text)]  # type: ignore[no-any-return]

    def _term(self, name: str, comparison: str, value: str, item: Item) -> bool:
        found = item.get(self._name(name))
        if comparison == "NOT >":  # true also without a value
            return found is None or not _plain(found) > _plain(self._values[value])
        if comparison in _COMPARISONS:
            return found is not None and _COMPARISONS[comparison](_plain(found), _plain(self._values[value]))
        return (found is not None) == (comparison == "attribute_exists")


def update_item(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return the UpdateItem request for an UPDATE of PartiQL, which creates no item."""
    request, key, names = _update(statement["Statement"])
    *values, key_value, limit = statement["Parameters"]
    numbers = {f":{name}": value for name, value in zip(names, values, strict=True)}
    return {
        **request,
        "Key": {key: key_value},
        "ExpressionAttributeValues": {**numbers, ":limit": limit},
        "ReturnValuesOnConditionCheckFailure": statement.get("ReturnValuesOnConditionCheckFailure", "NONE"),
    }


@lru_cache
def _update(text: str) -> tuple[dict[str, Any], str, list[str]]:
    """Parse an UPDATE into the constant part of a request, the key, and the names of its attributes."""
    found = _UPDATE.fullmatch(text)
    if not found:
        raise UnknownExpressionError(f"The DynamoDB stand-in does not support the statement {text!r}.")
    key, attribute, sign = found["key"], found["attribute"], found["sign"]
    names = re.findall(r'SET "(\w+)"', found["changes"])
    request = {
        "TableName": found["table"],
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in names),
        "ConditionExpression": f"attribute_exists(#{key}) AND #{attribute} {sign} :limit",
        "ExpressionAttributeNames": {f"#{name}": name for name in (key, attribute, *names)},
    }
    return request, key, names


@lru_cache
def _condition(text: str) -> list[list[tuple[str, str, str]]]:
    """Parse a condition into alternatives (OR) of terms (AND)."""
    return [[_parse_term(term.strip()) for term in either.split(" AND ")] for either in text.split(" OR ")]


def _parse_term(text: str) -> tuple[str, str, str]:
    if found := _FUNCTION.fullmatch(text):
        return found[2], found[1], ""
    if found := _COMPARISON.fullmatch(text):
        return found[1], found[2], found[3]
    if found := _NOT_GREATER.fullmatch(text):
        return found[1], "NOT >", found[2]
    raise UnknownExpressionError(f"The DynamoDB stand-in does not support the condition {text!r}.")


@lru_cache
def _changes(text: str) -> list[tuple[str, str, str]]:
    """Parse an update into clauses, names and values."""
    start, *clauses = _CLAUSES.split(text)
    if start.strip() or not clauses:
        raise UnknownExpressionError(f"The DynamoDB stand-in does not support the update {text!r}.")
    changes = []
    for clause, content in zip(clauses[::2], clauses[1::2], strict=True):
        if clause == "SET":
            changes += [(clause, name, value.strip()) for name, value in _ASSIGNMENT.findall(content)]
        else:
            parts = (part.split() for part in content.split(","))
            changes += [(clause, name, value[0] if value else "") for name, *value in parts]
    return changes


def _sum(first: Value, second: Value) -> Value:
    return {"N": str(Decimal(first["N"]) + Decimal(second["N"]))}


def _plain(value: Value) -> Any:
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content
