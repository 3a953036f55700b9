"""A WebSocket peer that can do everything wrong: frames by hand over a plain socket (RFC 6455)."""

import contextlib
import os
import socket
import ssl
import struct

from gateway import PATIENCE

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True, length=None, length_bytes=None, key=None):
    """One frame. length and length_bytes (0, 2 or 8) override what the payload says."""
    size = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if length_bytes == 0:
        head += bytes([bit | size])
    elif length_bytes == 2:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4) if key is None else key
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


def close_frame(code=None, reason=b"", **options):
    return frame(CLOSE, (struct.pack(">H", code) if code is not None else b"") + reason, **options)


class TlsPipe:
    """TLS over a connected socket, from which nothing is read but what somebody here waits for: no
    library reads on for a buffer of its own. Takes the place of a socket."""

    def __init__(self, plain, context, name="localhost"):
        self.plain = plain
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.step(self.tls.do_handshake)
        self.flush()

    def flush(self):
        if self.outgoing.pending:
            self.plain.sendall(self.outgoing.read())

    def step(self, act, *arguments):
        while True:
            try:
                return act(*arguments)
            except ssl.SSLWantReadError:
                self.flush()
                chunk = self.plain.recv(65536)
                if not chunk:
                    raise EOFError from None
                self.incoming.write(chunk)

    def sendall(self, data):
        self.tls.write(data)
        self.flush()

    def recv(self, most):
        """As a socket's; a ragged end raises EOFError."""
        try:
            return self.step(self.tls.read, most)
        except ssl.SSLZeroReturnError:
            return b""

    def end(self):
        """Tells the peer that nothing more comes, and leaves the socket open."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()

    def close(self):
        self.plain.close()

    def setsockopt(self, *arguments):
        self.plain.setsockopt(*arguments)

    def settimeout(self, seconds):
        self.plain.settimeout(seconds)


class Raw:
    """A connection that was upgraded; messages of the server are read frame by frame. `over` is a
    connected socket, or what takes its place."""

    def __init__(self, port, path="/echo", lines="", over=None):
        self.socket = over or socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n".encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        self.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101 "), self.head

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def fill(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise EOFError
        self.buffer += chunk

    def take(self, n):
        while len(self.buffer) < n:
            self.fill()
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def send(self, *frames, one_at_a_time=False):
        data = b"".join(frames)
        if one_at_a_time:
            for byte in data:
                self.socket.sendall(bytes([byte]))
        else:
            self.socket.sendall(data)

    def receive(self):
        """(opcode, payload) of the next frame, which must be final, unmasked, minimal and plain."""
        opcode, payload, compressed = self.receive_any()
        assert not compressed, "without permessage-deflate nothing is compressed"
        return opcode, payload

    def receive_any(self):
        """(opcode, payload, whether RSV1 is set) of the next frame."""
        first, second = self.take(2)
        assert first & 0x80 and not first & 0x30, "the server sends whole messages"
        assert not second & 0x80, "a server must not mask (RFC 6455 5.1)"
        size = second & 0x7f
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
            assert size >= 126
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
            assert size >= 65536
        return first & 0x0f, self.take(size), bool(first & 0x40)

    def close_code(self):
        """The code of the server's Close frame, and nothing after it but the end."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                break
        code = struct.unpack(">H", payload[:2])[0] if payload else None
        payload[2:].decode("utf-8")
        assert len(payload) <= 125
        return code

    def at_end(self):
        """True when the server ends the connection without sending more."""
        try:
            self.fill()
        except (EOFError, ConnectionResetError):
            return not self.buffer
        return False
