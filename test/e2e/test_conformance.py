"""RFC 6455 on /echo, case by case. Each case is sent whole and one byte at a time."""

import pytest

from gateway import Gateway
from rawws import (BINARY, CLOSE, CONT, PING, PONG, TEXT, Raw, close_frame, frame)

pytestmark = [pytest.mark.san, pytest.mark.valgrind]

MAX = 1048576


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("echo") / "home", echo=True, workers=2).start()
    yield gateway
    gateway.stop()
    gateway.check_clean()


def big(n):
    return (b"0123456789abcdef" * (n // 16 + 1))[:n]


# --- what must come back --------------------------------------------------------------------------

# name, frames sent, messages that come back
ECHOED = [
    ("5.6 text, empty", [frame(TEXT)], [(TEXT, b"")]),
    ("5.6 binary, empty", [frame(BINARY)], [(BINARY, b"")]),
] + [
    (f"5.2 text of {n}", [frame(TEXT, big(n))], [(TEXT, big(n))])
    for n in (1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537)
] + [
    (f"5.2 binary of {n}", [frame(BINARY, bytes(range(256)) * (n // 256) + b"\xff" * (n % 256))],
     [(BINARY, bytes(range(256)) * (n // 256) + b"\xff" * (n % 256))])
    for n in (1, 125, 126, 65535, 65536)
] + [
    ("5.3 mask of zeros", [frame(TEXT, b"hello", key=b"\0\0\0\0")], [(TEXT, b"hello")]),
    ("5.3 mask of ones", [frame(TEXT, b"hello", key=b"\xff\xff\xff\xff")], [(TEXT, b"hello")]),
    ("5.4 two fragments", [frame(TEXT, b"hel", fin=False), frame(CONT, b"lo")], [(TEXT, b"hello")]),
    ("5.4 empty fragments", [frame(TEXT, b"", fin=False), frame(CONT, b"", fin=False), frame(CONT, b"")],
     [(TEXT, b"")]),
    ("5.4 first fragment empty", [frame(TEXT, b"", fin=False), frame(CONT, b"x")], [(TEXT, b"x")]),
    ("5.4 last fragment empty", [frame(TEXT, b"x", fin=False), frame(CONT, b"")], [(TEXT, b"x")]),
    ("5.4 binary in fragments", [frame(BINARY, b"\0\1", fin=False), frame(CONT, b"\2")],
     [(BINARY, b"\0\1\2")]),
    ("5.4 a thousand fragments", [frame(TEXT, b"a", fin=False)] +
     [frame(CONT, b"a", fin=False)] * 998 + [frame(CONT, b"a")], [(TEXT, b"a" * 1000)]),
    ("5.4 ping between fragments", [frame(TEXT, b"a", fin=False), frame(PING, b"p"), frame(CONT, b"b")],
     [(PONG, b"p"), (TEXT, b"ab")]),
    ("5.4 pings between all fragments", [frame(TEXT, b"a", fin=False), frame(PING, b"1"),
                                         frame(CONT, b"b", fin=False), frame(PING, b"2"),
                                         frame(CONT, b"c")],
     [(PONG, b"1"), (PONG, b"2"), (TEXT, b"abc")]),
    ("5.4 pong between fragments", [frame(TEXT, b"a", fin=False), frame(PONG, b"p"), frame(CONT, b"b")],
     [(TEXT, b"ab")]),
    ("5.5.2 ping", [frame(PING)], [(PONG, b"")]),
    ("5.5.2 ping of 125", [frame(PING, big(125))], [(PONG, big(125))]),
    ("5.5.2 ping of binary", [frame(PING, b"\0\xff\xfe")], [(PONG, b"\0\xff\xfe")]),
    ("5.5.2 ten pings", [frame(PING, bytes([i])) for i in range(10)],
     [(PONG, bytes([i])) for i in range(10)]),
    ("5.5.3 unsolicited pong", [frame(PONG, b"x"), frame(PING, b"y")], [(PONG, b"y")]),
    ("three messages at once", [frame(TEXT, b"1"), frame(BINARY, b"2"), frame(TEXT, b"3")],
     [(TEXT, b"1"), (BINARY, b"2"), (TEXT, b"3")]),
    ("8.1 UTF-8 of 2, 3 and 4 bytes", [frame(TEXT, "κόσμε ℝ 𝄞 \U0010ffff \ufffe".encode())],
     [(TEXT, "κόσμε ℝ 𝄞 \U0010ffff \ufffe".encode())]),
    ("8.1 a character over two fragments", [frame(TEXT, b"\xf0\x9d", fin=False), frame(CONT, b"\x84\x9e")],
     [(TEXT, "𝄞".encode())]),
    ("8.1 NUL in text", [frame(TEXT, b"a\0b")], [(TEXT, b"a\0b")]),
]


@pytest.mark.parametrize("pieces", ["whole", "bytewise"])
@pytest.mark.parametrize("sent, back", [c[1:] for c in ECHOED], ids=[c[0] for c in ECHOED])
def test_echoed(echo, sent, back, pieces):
    if pieces == "bytewise" and sum(map(len, sent)) > 10000:
        sent = sent[:1] + sent[1:]
        with Raw(echo.port) as ws:
            data = b"".join(sent)
            for at in range(0, len(data), 997):
                ws.send(data[at:at + 997])
            assert [ws.receive() for _ in back] == back
        return
    with Raw(echo.port) as ws:
        ws.send(*sent, one_at_a_time=pieces == "bytewise")
        assert [ws.receive() for _ in back] == back
        ws.send(close_frame(1000))
        assert ws.close_code() == 1000
        assert ws.at_end()


# --- what must be refused -------------------------------------------------------------------------

# name, frames sent, close code
FAILED = [
    ("5.1 not masked", [frame(TEXT, b"x", mask=False)], 1002),
    ("5.1 not masked ping", [frame(PING, b"x", mask=False)], 1002),
    ("5.2 rsv1", [frame(TEXT, b"x", rsv=4)], 1002),
    ("5.2 rsv2", [frame(TEXT, b"x", rsv=2)], 1002),
    ("5.2 rsv3", [frame(TEXT, b"x", rsv=1)], 1002),
    ("5.2 rsv on ping", [frame(PING, b"x", rsv=4)], 1002),
    ("5.2 rsv on continuation", [frame(TEXT, b"x", fin=False), frame(CONT, b"y", rsv=4)], 1002),
    ("5.2 16-bit length not minimal", [frame(TEXT, b"x" * 125, length_bytes=2)], 1002),
    ("5.2 64-bit length not minimal", [frame(TEXT, b"x" * 200, length_bytes=8)], 1002),
    ("5.2 64-bit length with the top bit", [frame(TEXT, b"", length=1 << 63, length_bytes=8)], 1002),
    ("too long", [frame(TEXT, b"", length=MAX + 1)], 1009),
    ("far too long", [frame(BINARY, b"", length=(1 << 63) - 1, length_bytes=8)], 1009),
    ("too long together", [frame(TEXT, big(MAX - 10), fin=False), frame(CONT, big(11))], 1009),
    ("too many fragments", [frame(TEXT, b"", fin=False)] + [frame(CONT, b"", fin=False)] * 1024, 1009),
    ("5.4 continuation of nothing", [frame(CONT, b"x")], 1002),
    ("5.4 unfinished continuation of nothing", [frame(CONT, b"x", fin=False)], 1002),
    ("5.4 text within a message", [frame(TEXT, b"x", fin=False), frame(TEXT, b"y")], 1002),
    ("5.4 binary within a message", [frame(TEXT, b"x", fin=False), frame(BINARY, b"y")], 1002),
    ("5.4 continuation after the end", [frame(TEXT, b"x", fin=False), frame(CONT, b"y"), frame(CONT, b"z")],
     1002),
    ("5.5 fragmented ping", [frame(PING, b"x", fin=False)], 1002),
    ("5.5 fragmented close", [close_frame(1000, fin=False)], 1002),
    ("5.5 ping of 126", [frame(PING, big(126))], 1002),
    ("5.5 close of 126", [frame(CLOSE, b"\x03\xe8" + big(124))], 1002),
    ("5.5.1 close of one byte", [frame(CLOSE, b"\x03")], 1002),
    ("5.5.1 reason not UTF-8", [close_frame(1000, b"\xff")], 1007),
] + [
    (f"5.2 opcode {op}", [frame(op, b"x")], 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
] + [
    (f"7.4 close code {code}", [close_frame(code)], 1002)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
] + [
    (f"8.1 bad UTF-8 {bad!r}", [frame(TEXT, bad)], 1007)
    for bad in (b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xc3", b"\xe0\x80\xaf", b"\xe0\x9f\xbf",
                b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xe2\x82", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf",
                b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff",
                b"ok \xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80 edited")
] + [
    ("8.1 bad over fragments", [frame(TEXT, b"\xce", fin=False), frame(CONT, b"x")], 1007),
    ("8.1 unfinished at the end", [frame(TEXT, b"\xce", fin=False), frame(CONT, b"")], 1007),
    ("8.1 fails before the message is whole", [frame(TEXT, b"\xff" * 10, length=100)], 1007),
    ("8.1 fails in the first fragment", [frame(TEXT, b"\xed\xa0\x80", fin=False)], 1007),
]


@pytest.mark.parametrize("pieces", ["whole", "bytewise"])
@pytest.mark.parametrize("sent, code", [c[1:] for c in FAILED], ids=[c[0] for c in FAILED])
def test_failed(echo, sent, code, pieces):
    with Raw(echo.port) as ws:
        try:
            if sum(map(len, sent)) > 20000:
                data = b"".join(sent)
                step = len(data) if pieces == "whole" else 1009
                for at in range(0, len(data), step):
                    ws.send(data[at:at + step])
            else:
                ws.send(*sent, one_at_a_time=pieces == "bytewise")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server was through with us before we were with it
        assert ws.close_code() == code


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                                  3000, 3999, 4000, 4999])
def test_close_codes_are_echoed(echo, code):
    with Raw(echo.port) as ws:
        ws.send(close_frame(code, "bye é".encode()))
        assert ws.close_code() == code
        assert ws.at_end()


def test_close_without_code(echo):
    with Raw(echo.port) as ws:
        ws.send(close_frame())
        assert ws.close_code() in (None, 1000)
        assert ws.at_end()


def test_nothing_is_answered_after_close(echo):
    with Raw(echo.port) as ws:
        ws.send(frame(TEXT, b"1"), close_frame(1000), frame(PING, b"late"), frame(TEXT, b"2"))
        assert ws.receive() == (TEXT, b"1")
        assert ws.close_code() == 1000
        assert ws.at_end()


def test_largest_message(echo):
    with Raw(echo.port) as ws:
        ws.send(frame(BINARY, big(MAX)))
        assert ws.receive() == (BINARY, big(MAX))
        step = MAX // 1000
        pieces = [big(MAX)[at:at + step] for at in range(0, MAX, step)]
        ws.send(frame(TEXT, pieces[0], fin=False), *(frame(CONT, p, fin=False) for p in pieces[1:-1]),
                frame(CONT, pieces[-1]))
        assert ws.receive() == (TEXT, big(MAX))


def test_keep_alive(tmp_path):
    gateway = Gateway(tmp_path / "home", echo=True, workers=1, ping_interval_ms=1000,
                      pong_timeout_ms=1000).start()
    try:
        with Raw(gateway.port) as answering, Raw(gateway.port) as silent:
            opcode, payload = answering.receive()
            assert opcode == PING
            answering.send(frame(PONG, payload))
            assert answering.receive()[0] == PING
            assert silent.receive()[0] == PING
            assert silent.close_code() == 1008
    finally:
        gateway.stop()
        gateway.check_clean()
