"""Protobuf messages ⇄ plain dictionaries. Nothing outside this file sees a protobuf object.

The messages are built from `yatai.binpb`, the compiled description of `protos/yatai.proto`, which
works with every protobuf release (generated modules do not).

A message is a dictionary with an entry for every field, defaults included: timestamps are `datetime`s
in UTC without a zone, `Struct`s and maps are dictionaries, enumerations their numbers, absent messages
and absent optional fields None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf import empty_pb2 as _empty  # noqa: F401 - registers what the description imports
from google.protobuf import struct_pb2 as _struct  # noqa: F401
from google.protobuf import timestamp_pb2 as _timestamp  # noqa: F401
from google.protobuf.message import DecodeError, Message

from bentoml.exceptions import BentoMLException, InvalidArgument

from .web_json import struct_json, usual_json

SERVICE = "bentoml.Yatai"
_STRUCT = "google.protobuf.Struct"
_TIMESTAMP = "google.protobuf.Timestamp"
# Streamed messages that carry a file: number and name of the field with the bytes.
_PIECES = {"bentoml.SendUploadRequest": (3, "data"), "bentoml.FetchBentoResponse": (3, "data")}


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC; `request` and `response` are full names of messages."""

    name: str
    request: str
    response: str
    streams_requests: bool
    streams_responses: bool

    @property
    def path(self) -> str:
        return f"/{SERVICE}/{self.name}"


def read(name: str, data: bytes) -> dict[str, Any]:
    """The message `name` from its bytes. Raises `InvalidArgument`."""
    message = _message_class(name)()
    try:
        message.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as err:
        raise InvalidArgument(f"The message is no {name}: {err}") from err
    return _as_dict(message)


def read_piece(name: str, data: bytes) -> dict[str, Any]:
    """As `read`; if the message is a piece of a file and nothing else, the piece is not copied."""
    number, field = _PIECES[name]
    if data[:1] == bytes((number << 3 | 2,)):
        size, start = _read_varint(data, 1)
        if start + size == len(data):
            return {**_defaults(name), field: memoryview(data)[start:]}
    return read(name, data)


def write_piece(name: str, values: Mapping[str, Any]) -> bytes:
    """As `write`; a piece of a file alone is copied once."""
    number, field = _PIECES[name]
    if len(values) == 1 and field in values:
        piece = values[field]
        return b"".join((bytes((number << 3 | 2,)), _varint(len(piece)), piece))
    return write(name, values)


def write(name: str, values: Mapping[str, Any]) -> bytes:
    """The bytes of the message `name`; fields that are missing or None keep their defaults.

    Raises:
        BentoMLException: a value does not fit its field.
    """
    message = _message_class(name)()
    _fill(message, values)
    data: bytes = message.SerializeToString()
    return data


def carries_pieces(name: str) -> bool:
    """Whether `read_piece` and `write_piece` know the message."""
    return name in _PIECES


def from_json(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The message `name` from what a program wrote as JSON; what `as_json` gave is understood, too.

    Raises:
        InvalidArgument: it is none.
    """
    message = _message_class(name)()
    try:
        json_format.ParseDict(usual_json(values), message)
    except (json_format.ParseError, AttributeError, TypeError, ValueError) as err:
        raise InvalidArgument(f"The request is no {name.rpartition('.')[2]}: {str(err)[:300]}") from err
    return _as_dict(message)


def as_json(name: str, values: Mapping[str, Any] | bytes) -> dict[str, Any]:
    """The message `name` as 0.13's web server wrote it: without defaults, with names of enumerations.

    Times are seconds (as text) and nanos, `Struct`s are spelled out. `values` may be the message's bytes.
    """
    message = _message_class(name)()
    if isinstance(values, bytes):
        message.ParseFromString(values)
    else:
        _fill(message, values)
    return _json_of(message)


def fields(name: str) -> frozenset[str]:
    """The names of a message's fields."""
    return frozenset(_pool().FindMessageTypeByName(name).fields_by_name)


def repeat(number: int, parts: Iterable[bytes]) -> bytes:
    """Bytes of a repeated field of messages that are bytes already; append them to a message."""
    key = _varint(number << 3 | 2)
    return b"".join(piece for part in parts for piece in (key, _varint(len(part)), part))


@cache
def methods() -> tuple[Method, ...]:
    """All RPCs of the service."""
    service = _pool().FindServiceByName(SERVICE)
    proto = descriptor_pb2.ServiceDescriptorProto()
    service.CopyToProto(proto)
    return tuple(
        Method(
            method.name,
            method.input_type.lstrip("."),
            method.output_type.lstrip("."),
            method.client_streaming,
            method.server_streaming,
        )
        for method in proto.method
    )


@cache
def method(name: str) -> Method:
    """The RPC of that name."""
    return next(found for found in methods() if found.name == name)


@cache
def enum_names(name: str) -> dict[int, str]:
    """Names of an enumeration (`bentoml.DeploymentState.State`) by number."""
    return {value.number: value.name for value in _pool().FindEnumTypeByName(name).values}


@cache
def enum_numbers(name: str) -> dict[str, int]:
    """Numbers of an enumeration by name."""
    return {text: number for number, text in enum_names(name).items()}


def _pool() -> Any:
    pool = descriptor_pool.Default()
    _register(pool)
    return pool


@cache
def _register(pool: Any) -> None:
    data = files("bentoml.rpc").joinpath("yatai.binpb").read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(file.SerializeToString())


@cache
def _message_class(name: str) -> Any:
    full = name if "." in name else f"bentoml.{name}"
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(full))


def _as_dict(message: Any) -> dict[str, Any]:
    return {field.name: _value_of(message, field) for field in message.DESCRIPTOR.fields}


def _value_of(message: Any, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.message_type is None:
        if field.containing_oneof is not None and not message.HasField(field.name):
            return None  # an optional field
        return list(value) if _is_repeated(field) else value
    if field.message_type.GetOptions().map_entry:
        return dict(value)
    if _is_repeated(field):
        return [_convert(item) for item in value]
    return _convert(value) if message.HasField(field.name) else None


def _json_of(message: Any) -> dict[str, Any]:
    """What is set, and no defaults."""
    return {field.name: _json_value(value, field) for field, value in message.ListFields()}


def _json_value(value: Any, field: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)
    if _is_repeated(field):
        return [_json_item(item, field) for item in value]
    return _json_item(value, field)


def _json_item(value: Any, field: Any) -> Any:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if field.message_type is None:
        return value
    if field.message_type.full_name == _TIMESTAMP:
        return {"seconds": str(value.seconds), "nanos": value.nanos}
    if field.message_type.full_name == _STRUCT:
        return struct_json(json_format.MessageToDict(value))
    return _json_of(value)


def _is_repeated(field: Any) -> bool:
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED) if repeated is None else bool(repeated)


def _convert(message: Any) -> Any:
    kind = message.DESCRIPTOR.full_name
    if kind == _TIMESTAMP:
        return message.ToDatetime()
    if kind == _STRUCT:
        return json_format.MessageToDict(message)
    return _as_dict(message)


def _fill(message: Any, values: Mapping[str, Any]) -> None:
    fields = message.DESCRIPTOR.fields_by_name
    for key, value in values.items():
        if value is None:
            continue
        if key not in fields:
            raise BentoMLException(f"{message.DESCRIPTOR.full_name} has no field '{key}'; this is a bug.")
        try:
            _set_field(message, fields[key], value)
        except (TypeError, ValueError, AttributeError, json_format.ParseError) as err:
            raise InvalidArgument(
                f"'{str(value)[:80]}' does not fit field '{key}' of {message.DESCRIPTOR.name}: {err}"
            ) from err


def _set_field(message: Any, field: Any, value: Any) -> None:
    if field.message_type is None:
        if _is_repeated(field):
            getattr(message, field.name).extend(value)
        else:
            setattr(message, field.name, _scalar(field, value))
    elif field.message_type.GetOptions().map_entry:
        getattr(message, field.name).update(value)
    elif _is_repeated(field):
        for item in value:
            _set_message(getattr(message, field.name).add(), item)
    else:
        target = getattr(message, field.name)
        target.SetInParent()
        _set_message(target, value)


def _scalar(field: Any, value: Any) -> Any:
    if field.enum_type is not None and isinstance(value, str):
        return field.enum_type.values_by_name[value].number if value in field.enum_type.values_by_name else 0
    return value


def _set_message(message: Message, value: Any) -> None:
    kind = message.DESCRIPTOR.full_name
    target: Any = message
    if kind == _TIMESTAMP:
        target.FromDatetime(_moment(value))
    elif kind == _STRUCT:
        json_format.ParseDict(value, target)
    else:
        _fill(target, value)


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


@cache
def _defaults(name: str) -> dict[str, Any]:
    return read(name, b"")


def _read_varint(data: bytes, start: int) -> tuple[int, int]:
    """The number at `start`, and where it ends. The caller compares the end with what is there."""
    value = shift = 0
    for position in range(start, min(len(data), start + 5)):
        value |= (data[position] & 0x7F) << shift
        if data[position] < 0x80:
            return value, position + 1
        shift += 7
    return -1, start


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
