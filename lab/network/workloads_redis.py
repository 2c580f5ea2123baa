"""A small Redis: enough of RESP 2 for people's clients to connect, to ask and to store."""

import asyncio
from collections.abc import Callable

_MAXIMUM = 512 * 1024
"""Bytes of the longest argument and lines; Redis' own limit for inline requests is smaller."""

Reply = bytes
Command = Callable[[list[bytes]], Reply]


class ProtocolError(Exception):
    """The client does not speak RESP; the connection is closed after the error reply."""


class RedisServer:
    """One key space. `serve` is the handler of ``asyncio.start_server``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._keys: dict[bytes, bytes] = {}
        self._commands: dict[bytes, tuple[int, Command]] = {
            b"PING": (0, self._ping),
            b"ECHO": (1, lambda arguments: _bulk(arguments[0])),
            b"GET": (1, lambda arguments: _bulk(self._keys.get(arguments[0]))),
            b"SET": (2, self._set),
            b"DEL": (1, self._delete),
            b"INFO": (0, self._info),
            b"COMMAND": (0, lambda _: b"*0\r\n"),
            b"CLIENT": (1, lambda _: _simple("OK")),
            b"SELECT": (1, lambda _: _simple("OK")),
            b"QUIT": (0, lambda _: _simple("OK")),
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read_request(reader)) is not None:
                writer.write(self._execute(request))
                await writer.drain()
                if request[0].upper() == b"QUIT":
                    break
        except ProtocolError as error:
            writer.write(_error(f"Protocol error: {error}"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone

    def _execute(self, request: list[bytes]) -> Reply:
        name, arguments = request[0].upper(), request[1:]
        if name not in self._commands:
            shown = " ".join(f"'{argument.decode(errors='replace')}'" for argument in arguments[:8])
            return _error(f"unknown command '{request[0].decode(errors='replace')}', with args beginning with: {shown}")
        least, command = self._commands[name]
        if len(arguments) < least:
            return _error(f"wrong number of arguments for '{name.decode().lower()}' command")
        return command(arguments)

    def _ping(self, arguments: list[bytes]) -> Reply:
        return _bulk(arguments[0]) if arguments else _simple("PONG")

    def _set(self, arguments: list[bytes]) -> Reply:
        if len(arguments) > 2:
            return _error("syntax error")
        self._keys[arguments[0]] = arguments[1]
        return _simple("OK")

    def _delete(self, arguments: list[bytes]) -> Reply:
        return b":%d\r\n" % sum(self._keys.pop(key, None) is not None for key in arguments)

    def _info(self, _arguments: list[bytes]) -> Reply:
        lines = ["# Server", "redis_version:7.2.0", "redis_mode:standalone", f"lab_pod:{self._name}", "# Keyspace"]
        if self._keys:
            lines.append(f"db0:keys={len(self._keys)},expires=0,avg_ttl=0")
        return _bulk("\r\n".join(lines).encode() + b"\r\n")


async def _read_request(reader: asyncio.StreamReader) -> list[bytes] | None:
    """The next request, as an array of bulk strings or as words on a line; None at the end of the stream."""
    while True:
        line = await reader.readline()
        if not line:
            return None
        if line.startswith(b"*"):
            count = _length(line[1:], "invalid multibulk length")
            if count > 0:
                return [await _read_bulk(reader) for _ in range(count)]
        elif words := line.split():
            return words


async def _read_bulk(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line.startswith(b"$"):
        raise ProtocolError(f"expected '$', got '{line[:1].decode(errors='replace')}'")
    data = await reader.readexactly(_length(line[1:], "invalid bulk length"))
    await reader.readexactly(2)
    return data


def _length(text: bytes, complaint: str) -> int:
    if not text.strip().isdigit() or int(text) > _MAXIMUM:
        raise ProtocolError(complaint)
    return int(text)


def _simple(text: str) -> Reply:
    return f"+{text}\r\n".encode()


def _error(text: str) -> Reply:
    return f"-ERR {text}\r\n".encode()


def _bulk(data: bytes | None) -> Reply:
    return b"$-1\r\n" if data is None else b"$%d\r\n%s\r\n" % (len(data), data)
