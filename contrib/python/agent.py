"""An agent: it offers the method agent.run, and streams its answers. Here it tells how many words it was
sent; a model would be asked in answer(). chat.py talks to it, and so does chat.mjs, through the gateway.

usage: agent.py; the gateway's address and token may stand in LURKBOT_GATEWAY_URL and
LURKBOT_GATEWAY_TOKEN."""

import asyncio
import os
import re
from typing import AsyncIterator

from lurkbot_gateway import DEFAULT_URL, Gateway, GatewayError, ProviderRequest


async def answer(message: str) -> AsyncIterator[str]:
    """The answer, piece by piece."""
    count = len(message.split())
    text = f"You said \"{message}\": {count} {'word' if count == 1 else 'words'}."
    for piece in re.findall(r"\S+\s*", text):
        yield piece
        await asyncio.sleep(0.03)


class Agent:
    def __init__(self, gateway: Gateway):
        self.gateway = gateway

    async def run(self, params: dict, request: ProviderRequest) -> dict:
        """agent.run {message}: each piece goes to the caller as progress, and to whoever else listens as
        agent.delta; the whole is one more message of the session."""
        message = params.get("message")
        if not isinstance(message, str):
            raise GatewayError("INVALID_REQUEST", "params.message must be a text.",
                               {"field": "params.message"})
        text = ""
        async for piece in answer(message):
            text += piece
            await request.progress({"text": piece})
            self.tell("agent.delta", {"text": piece, "runId": request.id}, request)
        await self.tell("session.message", {"role": "assistant", "content": text,
                                            "to": request.caller.get("clientId")}, request)
        return {"text": text}

    def tell(self, event: str, payload: dict, request: ProviderRequest):
        return self.gateway.publish(event, payload, session_key=request.session_key)


async def main() -> None:
    gateway = Gateway(
        os.environ.get("LURKBOT_GATEWAY_URL", DEFAULT_URL), token=os.environ.get("LURKBOT_GATEWAY_TOKEN"),
        client_id="agent", display_name="Agent that counts",
        on_disconnect=lambda error, delay_s: print(f"{error.message}; again in {delay_s:.1f} s", flush=True))
    await gateway.connect(wait=True)
    await gateway.register({"agent.run": Agent(gateway).run}, description="counts words")
    print("agent.run is there for all clients of the gateway; Ctrl-C ends it", flush=True)
    try:
        await gateway.wait_closed()
    finally:
        await gateway.close()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except GatewayError as error:
        raise SystemExit(f"agent: {error.message}")
