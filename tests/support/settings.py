"""Settings for tests: each application gets a database of its own, and what nobody reads any more stops at once."""

from pydantic import Field

from app.settings import Settings as ServiceSettings
from tests.support.databases import fresh_database_url


class Settings(ServiceSettings):
    """As the service's, but for two defaults: tests that want a resume window say so."""

    database_url: str = Field(default_factory=fresh_database_url)
    resume_window_seconds: float = 0
