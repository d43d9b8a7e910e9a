"""Why a request is not let in. As all errors of `app.chat.errors`: a code each, and the contract says what is told."""

from app.chat.errors import ChatError


class CredentialsMissing(ChatError):
    """There is no bearer token."""

    code = "credentials-missing"


class InvalidToken(ChatError):
    """The key or token is unknown, expired or revoked, or there is more than one."""

    code = "invalid-token"


class CrossSite(ChatError):
    """A page of another origin asks, on behalf of the person who looks at it."""

    code = "cross-site"


class HostNotAllowed(ChatError):
    """The service is not configured for this host."""

    code = "host-not-allowed"
