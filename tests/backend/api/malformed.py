"""Requests that are almost what an OpenAPI description says, spoilt in one or two places; seeded."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

NASTY: list[Any] = [
    None, True, 0, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, float("nan"), float("inf"), "", " ", "\x00",
    "a\x00b", "\ud800", "\U0001f4a9", "x" * 10_000, "../../etc/passwd", "' or 1=1 --", "%00", "null", "[]", "{}", "\n",
    "٣", "1e5", "NaN", "2024-02-30", "9999-12-31T23:59:59.999999999+99:99", "0001-01-01T00:00:00", [], [[]], {}, [None],
    {"$ref": "#"}, {"": ""},
]  # fmt: skip
NASTY_TEXT = [
    "",
    "%00",
    "%2e%2e",
    "%C0%AF",
    "%ED%A0%80",
    "-1",
    "9" * 40,
    "1e9",
    "NaN",
    "me%00",
    "%27",
    "a" * 3000,
    "null",
]


class Spoilt(NamedTuple):
    """`path` is encoded as it goes out."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


class Generator:
    def __init__(self, description: dict[str, Any], seed: int) -> None:
        self._description = description
        self._chance = random.Random(seed)

    def requests(self, count: int) -> Iterator[Spoilt]:
        operations = [
            (method, path, operation)
            for path, item in self._description["paths"].items()
            for method, operation in item.items()
        ]
        for number in range(count):
            yield self._request(*operations[number % len(operations)])

    def _request(self, method: str, path: str, operation: dict[str, Any]) -> Spoilt:
        query, headers = [], {}
        for parameter in operation.get("parameters", ()):
            good = str(self.example(parameter["schema"]))
            text = quote(good, safe="") if self._chance.random() < 0.6 else self._chance.choice(NASTY_TEXT)
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", text or "%20")
            elif parameter["in"] == "query":
                query.append(f"{parameter['name']}={text}")
            elif self._chance.random() < 0.8:
                headers[parameter["name"]] = good if self._chance.random() < 0.8 else text
        body = None
        if "requestBody" in operation:
            [schema] = (content["schema"] for content in operation["requestBody"]["content"].values())
            body = self._spoilt_body(self.example(schema))
            headers["Content-Type"] = "application/json"
        return Spoilt(method.upper(), path + ("?" + "&".join(query) if query else ""), headers, body)

    def _spoilt_body(self, value: Any) -> bytes:
        for _ in range(self._chance.randint(1, 2)):
            value = self._spoil(copy.deepcopy(value))
        body = json.dumps(value).encode()
        if self._chance.random() < 0.1:
            at = self._chance.randrange(len(body))
            body = body[:at] + bytes([self._chance.randrange(256)]) + body[at + 1 :]
        return body

    def _spoil(self, value: Any) -> Any:
        """The value with one place in it changed."""
        if isinstance(value, dict) and value and self._chance.random() < 0.9:
            key = self._chance.choice(list(value))
            match self._chance.randrange(6):
                case 0:
                    del value[key]
                case 1:
                    value[self._chance.choice(["extra", "", "\ud800", "\x00", "__class__", key.upper()])] = 1
                case _:
                    value[key] = self._spoil(value[key])
            return value
        if isinstance(value, list) and value and self._chance.random() < 0.8:
            value[0] = self._spoil(value[0])
            return value * self._chance.choice([1, 1, 2, 1001])
        return self._chance.choice(NASTY)

    def example(self, schema: dict[str, Any]) -> Any:
        """Something that fits."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return self.example(self._description["components"]["schemas"][name])
        if "anyOf" in schema:
            return self.example(self._chance.choice(schema["anyOf"]))
        if "const" in schema or "enum" in schema:
            return schema.get("const") or self._chance.choice(schema["enum"])
        match schema.get("type"):
            case "object":
                if "properties" not in schema:
                    return {"name": "value"}
                return {name: self.example(inner) for name, inner in schema["properties"].items()}
            case "array":
                return [self.example(schema["items"])]
            case "integer" | "number":
                low, high = schema.get("minimum", 1), schema.get("maximum", 1000)
                return self._chance.randint(int(low), int(high))
            case "boolean":
                return self._chance.random() < 0.5
            case "null":
                return None
        return self._text(schema)

    def _text(self, schema: dict[str, Any]) -> str:
        if schema.get("format") == "uuid":
            return str(UUID(int=self._chance.getrandbits(128)))
        if schema.get("format") == "date-time":
            return "2024-05-12T10:15:30"
        pattern = schema.get("pattern", "")
        if pattern.startswith("^[0-9a-f]{"):
            return "".join(self._chance.choices("0123456789abcdef", k=int(pattern.split("{")[1].split("}")[0])))
        return "image/jpeg" if "/" in pattern else "text"
