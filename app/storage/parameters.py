"""Parameters of PostgreSQL URLs, as the clients of other languages have them too."""

DRIVERS = frozenset(
    {
        "dbname",
        "database",
        "user",
        "password",
        "passfile",
        "sslmode",
        "sslcert",
        "sslkey",
        "sslrootcert",
        "sslnegotiation",
        "sslcrl",
        "sslpassword",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "target_session_attrs",
        "krbsrvname",
        "gsslib",
        "service",
    }
)
"""Parameters that the driver knows itself; `host` and `port` are read here."""
OTHER_NAMES = {
    "currentSchema": "search_path",  # JDBC
    "fallback_application_name": "application_name",
    "hostaddr": "host",
    "requiressl": "ssl",
    "schema": "search_path",  # Prisma
    "sslaccept": "ssl",  # Prisma
}
"""What stands for what."""
SSL_MODES = {
    "0": "disable",
    "1": "require",
    "accept_invalid_certs": "require",
    "false": "disable",
    "no-verify": "require",  # node-postgres
    "strict": "verify-full",
    "true": "require",
}
"""What others call the modes of `sslmode`."""
NO_STATEMENTS = {
    "pgbouncer": {"1", "true"},  # Prisma
    "prepare_threshold": {"0", "none"},
    "prepareThreshold": {"0"},  # JDBC
    "prepared_statement_cache_size": {"0"},  # SQLAlchemy
    "prepared_statements": {"0", "false"},  # Rails
    "statement_cache_size": {"0"},  # asyncpg, Prisma
}
"""By these values, a client is told to leave no prepared statement behind."""
IGNORED = frozenset(
    {
        "async_fallback",
        "channel_binding",
        "client_encoding",
        "command_timeout",
        "connection_limit",
        "gssdelegation",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "max_overflow",
        "max_protocol_version",
        "min_protocol_version",
        "pool_max_conns",
        "pool_mode",
        "pool_pre_ping",
        "pool_recycle",
        "pool_size",
        "pool_timeout",
        "single_use_connections",
        "socket_timeout",
        "sslcompression",
        "sslidentity",
        "sslsni",
        "supa",
        "tcp_user_timeout",
        "uselibpqcompat",
        "workaround",
    }
)
"""What other clients are told by URLs, and we need not know or decide ourselves."""
UNSUPPORTED: dict[str, set[str]] = {
    "gssencmode": {"disable", "prefer"},
    "require_auth": set(),
    "sslcrldir": set(),
}
"""What protects a connection and the driver cannot do, with the values that ask for nothing."""
