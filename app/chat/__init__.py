"""The domain: conversations, words and the life cycle of a reply. Knows no framework, no settings and no adapter."""
