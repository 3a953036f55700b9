"""A chat on the terminal, with whatever offers agent.run: agent.py or agent.mjs. Several chats may share a
session, and see each other's messages.

usage: chat.py [SESSION-KEY]; the gateway's address and token may stand in LURKBOT_GATEWAY_URL and
LURKBOT_GATEWAY_TOKEN."""

import asyncio
import os
import sys
import threading

from lurkbot_gateway import DEFAULT_URL, Event, Gateway, GatewayError

ME = f"chat-{os.getpid()}"
PROMPT = "you: "


def say(text: str) -> None:
    print(text, end="", flush=True)


def read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue) -> None:
    """In a thread, which is not waited for at the end."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line.strip())
    loop.call_soon_threadsafe(lines.put_nowait, None)


def on_message(event: Event) -> None:
    """A message of somebody else's in this session, or an answer to them."""
    if event.name == "gateway.gap":
        say(f"\r(some messages were missed)\n{PROMPT}")
    elif ME not in (event.payload.get("from"), event.payload.get("to")):
        say(f"\r{event.payload.get('from') or 'agent'}: {event.payload.get('content')}\n{PROMPT}")


async def ask(gateway: Gateway, session: str, text: str) -> None:
    """Posts a message, and shows the answer as it comes."""
    message = {"role": "user", "content": text, "from": ME}
    await gateway.publish("session.message", message, session_key=session)
    answer = gateway.request("agent.run", {"message": text}, session_key=session, timeout=120)
    say("agent: ")
    async for piece in answer:
        say(piece["text"])
    await answer


async def main() -> None:
    session = sys.argv[1] if len(sys.argv) > 1 else "chat:demo:main"
    lines: asyncio.Queue = asyncio.Queue()
    async with Gateway(os.environ.get("LURKBOT_GATEWAY_URL", DEFAULT_URL), client_id=ME, mode="cli",
                       token=os.environ.get("LURKBOT_GATEWAY_TOKEN")) as gateway:
        await gateway.subscribe("session.message", session_keys=[session], on_event=on_message).ready()
        threading.Thread(target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True).start()
        say(PROMPT)
        while (text := await lines.get()) is not None:
            try:
                if text:
                    await ask(gateway, session, text)
                    say("\n")
            except GatewayError as error:
                say(f"({error.message})\n")
            say(PROMPT)
    say("\n")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        say("\n")
    except GatewayError as error:
        raise SystemExit(f"chat: {error.message}")
