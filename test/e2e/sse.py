"""A client of Server-Sent Events that reads as a browser's EventSource does (WHATWG HTML, section 9.2.6)."""

import asyncio
import json
import re
import socket

from gateway import PATIENCE


class Refused(Exception):
    """Another status than 200."""


class Stream:
    """One connection. `last_id` is what EventSource would send as Last-Event-ID."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.last_id, self.retry, self.comments, self.hello = "", None, 0, None

    async def block(self):
        """The next event as (type, data), comments passed over; None at the end, where what is not whole
        is dropped."""
        type, data, id = "message", None, None
        while True:
            line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
            if not line.endswith(b"\n"):
                return None
            line = line.decode().rstrip("\n")
            assert "\r" not in line
            if not line:
                if id is not None:
                    self.last_id = id
                if data is None:
                    type = "message"
                    continue
                return type, "\n".join(data)
            name, colon, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if not name and colon:
                self.comments += 1
            elif name == "event":
                type = value
            elif name == "data":
                data = [*(data or []), value]
            elif name == "id":
                id = value
            elif name == "retry":
                self.retry = int(value)
            else:
                raise AssertionError(line)

    async def event(self):
        """The next event frame; None at the end."""
        block = await self.block()
        if block is None:
            return None
        assert block[0] == "message", block
        frame = json.loads(block[1])
        if "seq" in frame:
            assert self.last_id.endswith(f":{frame['seq']}")
        return frame

    @property
    def position(self):
        return int(self.last_id.rpartition(":")[2])

    def close(self):
        self.writer.close()


async def open_stream(gateway, query="", last_id=None, narrow=False, headers=()):
    """Asks for the events; returns the stream, whose hello was read."""
    raw = socket.socket()
    if narrow:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", gateway.port))
    over = {"ssl": gateway.ssl, "server_hostname": "127.0.0.1"} if gateway.ssl else {}
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024 if narrow else 1 << 22, **over)
    if narrow:
        reader._limit = 1 << 21  # of a line; the transport stops reading at twice the old limit
    lines = [f"GET /api/v1/events{query} HTTP/1.1", "Host: localhost", "Accept: text/event-stream", *headers]
    if last_id is not None:
        lines.append(f"Last-Event-ID: {last_id}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    if not head.startswith(b"HTTP/1.1 200 "):
        length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        error = json.loads(await reader.readexactly(length))["error"]
        writer.close()
        raise Refused(int(head.split()[1]), error)
    assert b"\r\nContent-Type: text/event-stream\r\n" in head and b"Content-Length" not in head
    stream = Stream(reader, writer)
    type, data = await stream.block()
    stream.hello = json.loads(data)
    assert type == "hello" and stream.hello["type"] == "hello"
    return stream
