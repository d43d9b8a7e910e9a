"""Puts the parts together. The one place that knows every part.

`uvicorn app.main:app` works; importing this module does no work, the application is made when it is first asked for.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache

from fastapi import FastAPI

from app import garbage, logs, parts
from app.access.budgets import WordBudgets
from app.access.gate import Gate
from app.access.hosts import Hosts
from app.access.keys import KeyRing
from app.access.limits import Limits
from app.access.origins import Origins
from app.access.proxies import Proxies
from app.bot_choice import chosen_bot, model_name, suggestions
from app.chat.naming import Naming
from app.chat.ports import Bot, Store
from app.chat.replies import Replies
from app.chat.watching import ReplyObservers
from app.contract import Contract, Handler
from app.dialects.completions import Wording
from app.dialects.openai import OpenAIProblems
from app.eventlog.memory import MemoryReplyLog
from app.http.application import Application
from app.http.body import BodyReader
from app.http.joining import Joining
from app.http.middleware import EveryRequest
from app.http.problems import Problems
from app.http.sse import Pacing
from app.observation import Observation
from app.routers.agui import AgUiRouter
from app.routers.chat import ChatRouter, request_model
from app.routers.conversations import ConversationsRouter
from app.routers.documents import document_routes
from app.routers.health import HealthRouter
from app.routers.metrics import MetricsRouter
from app.routers.openai import OpenAIRouter
from app.routers.replies import RepliesRouter
from app.routers.service import ServiceRouter
from app.routers.ui import UiRouter
from app.settings import Settings
from app.start_errors import exit_status, lines, tell
from app.storage.address import database_url
from app.storage.database import Database
from app.telemetry.counting import ALONE, Block


def create_app(settings: Settings | None = None, bot: Bot | None = None, block: Block = ALONE) -> FastAPI:
    """Make the application.

    `settings` are read from the environment if left out; `bot` takes the place of the one that they name; metrics are
    counted in the `block`. Raises `CannotStart`, and pydantic's `ValidationError` for settings that are not good.
    """
    settings = settings or Settings()
    contract = Contract.load(settings.max_message_characters)
    observation = Observation(settings, contract, block)
    measures = observation.measures
    problems = Problems(contract.problems, contract.reference("streamChat", to="getReply"), measures)
    openai_problems = OpenAIProblems(contract.problems, contract.operations["createChatCompletion"].path, measures)
    address = database_url(settings.database_url)
    database = Database(address, settings.storage_seconds, settings.lease_seconds, measures)
    bot = bot or chosen_bot(settings, measures, observation.calls)
    keys = KeyRing(database.keys)
    budgets = WordBudgets(settings.words_per_day, database.budgets) if settings.words_per_day else None
    valkey = parts.valkey_server(settings, address)
    counts = parts.shared_counts(settings, valkey)
    limits = Limits(parts.allowance(settings, budgets), counts)
    origins = Origins(settings.allowed_origins)
    gate = Gate(keys, parts.verifier(settings), limits, origins)
    proxies = Proxies(settings.trusted_proxies)
    hosts = Hosts(
        settings.allowed_hosts,
        settings.host,
        is_public=lambda: settings.allow_anyone or gate.is_locked,  # a page that rebinds its name has no key
        open_paths={
            operation.path
            for operation in contract.operations.values()
            if not operation.is_guarded or (operation.has_own_key and settings.metrics_key)
        },
    )
    shared = parts.shared_logs(settings, valkey, measures)
    naming = Naming(bot, database.store) if settings.bot_titles else None
    replies = Replies(
        bot,
        parts.bounds(settings, address),
        database.store,
        new_log=MemoryReplyLog,
        shared=shared,
        observer=ReplyObservers([observation.replies, naming]) if naming else observation.replies,
        measures=measures,
    )
    database.generated = replies.peers
    shared.on_cancel = replies.peers.cancel_all

    managed = (
        *observation.parts,
        database,
        keys,
        budgets,
        counts,
        shared,
        bot,
        naming,
        replies,
    )  # the first one is closed last

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in managed:
                if isinstance(part, AbstractAsyncContextManager):
                    await stack.enter_async_context(part)
            yield

    app = Application(
        title=contract.document["info"]["title"],
        version=contract.version,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # see Application
        explain_failure=lambda error: "\n".join(lines(error)),
    )
    app.state.replies = replies
    app.state.gate = gate
    app.state.problems = problems
    app.state.measures = measures
    app.state.exposition = observation.exposition
    app.state.database = parts.place(address)
    pacing = Pacing(settings.first_word_seconds, settings.heartbeat_seconds, Joining(settings.join_seconds))
    bodies = BodyReader(settings.max_body_bytes, settings.request_seconds)
    chat = ChatRouter(
        replies=replies,
        bodies=bodies,
        model=request_model(settings.max_message_characters),
        problems=problems,
        pacing=pacing,
        limits=limits,
        stream_location=contract.reference("streamChat", to="streamReply"),
        reply_location=contract.reference("createReply", to="getReply"),
    )
    events_location = contract.reference("streamReply", to="streamReply")
    again = RepliesRouter(replies, database.store, bodies, problems, pacing, events_location)
    history = ConversationsRouter(database.store, replies, bodies)
    health = HealthRouter(replies, database.store, bot)
    service = ServiceRouter(
        name=settings.name,
        version=contract.version,
        bot=settings.bot,
        model=model_name(settings),
        suggestions=suggestions(settings),
        titles="bot" if settings.bot_titles else "message",
        message_characters=settings.max_message_characters,
        reply_characters=settings.max_reply_characters,
    )
    contract.bind(
        app,
        [
            chat.stream_chat,
            chat.create_reply,
            again.get_reply,
            again.stream_reply,
            again.cancel_reply,
            again.give_feedback,
            again.withdraw_feedback,
            history.list_conversations,
            history.get_conversation,
            history.export_conversation,
            history.export_conversation_as_markdown,
            history.update_conversation,
            history.delete_conversation,
            history.delete_conversations,
            service.get_service,
            health.get_health,
            health.get_readiness,
            *_foreign(settings, chat, database.store, openai_problems),
            MetricsRouter(
                observation.exposition,
                gate,
                settings.metrics_key.get_secret_value() if settings.metrics_key else None,
                is_open=settings.allow_anyone or bool(settings.allowed_hosts),
            ).get_metrics,
        ],
        gate,
    )
    app.router.routes.extend(document_routes(contract))
    app.add_middleware(
        EveryRequest,
        problems=lambda path: openai_problems if openai_problems.cover(path) else problems,
        allowed_methods=contract.allowed_methods,
        origins=origins,
        checks=[proxies.believe, hosts.refuse_others],
    )
    return app


def _foreign(settings: Settings, chat: ChatRouter, store: Store, openai_problems: OpenAIProblems) -> list[Handler]:
    """The handlers of other protocols: the same replies, said in another way."""
    wording = Wording(openai_problems, model_name(settings) or settings.bot)
    openai = OpenAIRouter(chat.replies, chat.bodies, wording, chat.pacing, chat.limits)
    ui = UiRouter(chat.replies, chat.bodies, chat.model, chat.problems, chat.pacing, chat.limits)
    agui = AgUiRouter(chat.replies, store, chat.bodies, chat.model, chat.problems, chat.pacing, chat.limits)
    return [
        openai.create_chat_completion,
        openai.list_models,
        ui.stream_ui_chat,
        ui.resume_ui_chat,
        agui.run_agent,
        agui.rejoin_agent,
    ]


@cache
def _app() -> FastAPI:
    try:
        settings = Settings()
        logs.configure(settings.log_level, settings.log_format)
        logs.take_over_uvicorns()
        app = create_app(settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, a server would print a traceback
        tell(error)
        sys.exit(exit_status(error))
    garbage.keep()
    return app


def __getattr__(name: str) -> FastAPI:
    if name == "app":
        return _app()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
