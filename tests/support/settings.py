"""Settings for tests: each application gets its own database, and replies without readers stop at once."""

from pydantic import Field

from app.settings import Settings as ServiceSettings
from tests.support.databases import fresh_database_url


class Settings(ServiceSettings):
    """The service's settings with two other defaults: tests that need a resume window set it."""

    database_url: str = Field(default_factory=fresh_database_url)
    resume_window_seconds: float = 0
