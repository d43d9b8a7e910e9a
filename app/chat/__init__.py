"""The domain: conversations, words and the life of a reply. Knows no framework, no settings and no adapter."""
