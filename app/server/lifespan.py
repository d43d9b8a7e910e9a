"""The application's lifespan, for uvicorn, whose own logs an error with a traceback and does not pass it on."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import uvicorn
from fastapi import FastAPI

from app import garbage


class Lifespan:
    """What uvicorn calls before it accepts connections and after it has closed them, in one task."""

    def __init__(
        self,
        app: FastAPI,
        check: Callable[[], None],
        begin: Callable[[], None],
        *beside: AbstractAsyncContextManager[object],
    ) -> None:
        """When the application has started, `check` is called, what is `beside` it is entered, and `begin` is called.

        All of them may raise.
        """
        self._app = app
        self._check = check
        self._begin = begin
        self._beside = beside
        self._exits = AsyncExitStack()
        self.should_exit = False
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Start the application. Raises whatever keeps it from starting."""
        await self._exits.enter_async_context(self._app.router.lifespan_context(self._app))
        try:
            self._check()
            for each in self._beside:
                await self._exits.enter_async_context(each)
            garbage.keep()
            self._begin()
        except BaseException:
            await self.shutdown()  # in good order: within the application, the error would come out in a group
            raise

    async def shutdown(self) -> None:
        """End the application."""
        await self._exits.aclose()


def use(config: uvicorn.Config, lifespan: Lifespan) -> None:
    """Have the server call it."""
    config.load()
    config.lifespan_class = lambda _: lifespan
