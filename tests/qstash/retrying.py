"""When what failed is tried again: the vendor's schedule, the publisher's formula, the destination's wish."""

import ast
import math
import operator
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from tests.qstash.clock import duration

LONGEST = 86_400.0  # seconds
_WISHES = ("Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens")
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "pow": math.pow, "sqrt": math.sqrt, "abs": abs, "exp": math.exp, "floor": math.floor, "ceil": math.ceil,
    "round": round, "min": min, "max": max,
}  # fmt: skip
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


def wait(retried: int, formula: str | None, answer: Mapping[str, str]) -> float:
    """Seconds until the next attempt of what was tried again `retried` times; `answer` is the destination's headers.

    A wish of more than a day does not count; the default is min(86400, e^(2.5 n)) before the n-th retry.
    """
    wished = _wished(answer)
    if wished is not None and wished <= LONGEST:
        return wished
    return min(LONGEST, millis(formula, retried) / 1000 if formula else math.exp(2.5 * (retried + 1)))


def millis(formula: str, retried: int) -> float:
    """What Upstash-Retry-Delay says for the retry after so many; ValueError if it is no such formula."""
    try:
        return _value(ast.parse(formula, mode="eval").body, retried)
    except (SyntaxError, ArithmeticError, KeyError, TypeError) as error:
        raise ValueError(f"not a retry delay: {formula!r}") from error


def _value(node: ast.expr, retried: int) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id="retried"):
            return retried
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, retried), _value(right, retried))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _FUNCTIONS[name](*(_value(argument, retried) for argument in arguments))
        case _:
            raise TypeError(ast.dump(node))


def _wished(answer: Mapping[str, Any]) -> float | None:
    wishes = (_seconds(answer[name]) for name in _WISHES if name in answer)
    return next((wish for wish in wishes if wish is not None and wish >= 0), None)


def _seconds(text: str) -> float | None:
    """Of "10", of "6m5s", or until a date; None where it is none of these. The date is one of the true clock."""
    for reading in (float, duration, lambda date: parsedate_to_datetime(date).timestamp() - time.time()):
        try:
            return reading(text)
        except ValueError:
            continue
    return None
