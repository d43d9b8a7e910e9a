"""What counts as white space in texts: of bots, which do not begin with it, and of messages, which need more."""

WHITE_SPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""Unicode's White_Space, plus what Python (U+001C to U+001F) and JavaScript (U+FEFF) trim: an event's data must not
start with a character that a client's `strip()` might remove. The contract lists the same set."""
