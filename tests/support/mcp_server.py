"""An MCP server with the official SDK: over streamable HTTP on loopback, or on its standard streams (`python -m`).

Nothing here is used by the product.
"""

import asyncio
import os
import socket
import threading

import uvicorn
from mcp.server.mcpserver import MCPServer

HANDBOOK = (
    "Gallium handbook. Gallium is kept in plastic bottles because it attacks aluminium. Gallium melts at 29.76 degrees "
    "Celsius. Ask the store for at most 500 grams of gallium."
)


def build() -> MCPServer:
    """Return a server with a search, a tool of two arguments, one that fails, and one that is silent."""
    server = MCPServer("handbook")

    @server.tool(name="search-Docs2")
    def search(query: str) -> str:
        """Search the handbook."""
        return HANDBOOK if "gallium" in query.lower() else "Nothing found in the handbook about this."

    @server.tool()
    def lookup(metal: str, grams: int) -> str:
        """Look up how a metal is stored."""
        return f"The store keeps {grams} grams of {metal} on the second shelf of the cold room."

    @server.tool()
    def broken(query: str) -> str:
        """Fail always."""
        raise ValueError("the index is being rebuilt")

    @server.tool()
    def environment(variable: str) -> str:
        """Return a variable of the environment."""
        return f"The variable {variable} is {os.environ.get(variable, 'absent')} in the environment of this server."

    return server


class McpHttpServer:
    """Runs the server in a thread of its own, on a free loopback port."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            build().streamable_http_app(), log_level="critical", ws="none", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/mcp"

    async def __aenter__(self) -> "McpHttpServer":
        self._thread.start()
        async with asyncio.timeout(10):
            while not self._server.started:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.to_thread(self._thread.join, 10)
        self._socket.close()


if __name__ == "__main__":
    build().run("stdio")
