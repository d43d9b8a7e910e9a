"""What the service is: who answers, and within which limits."""

from dataclasses import dataclass

from pydantic import MISSING
from starlette.requests import Request
from starlette.responses import Response

from generated.models import Service, ServiceLimits


@dataclass(frozen=True, slots=True)
class ServiceRouter:
    """`getService`."""

    name: str
    version: str
    bot: str
    model: str | None
    suggestions: list[str]
    titles: str
    message_characters: int
    reply_characters: int

    async def get_service(self, request: Request) -> Response:
        """As the settings say."""
        limits = ServiceLimits(message_characters=self.message_characters, reply_characters=self.reply_characters)
        service = Service(
            name=self.name,
            version=self.version,
            bot=self.bot,
            model=self.model or MISSING,
            suggestions=self.suggestions,
            titles=self.titles,
            limits=limits,
        )
        body = service.model_dump_json()
        return Response(body, request.scope["route"].status_code, {"Cache-Control": "no-store"}, "application/json")
