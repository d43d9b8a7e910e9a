"""The HTTP layer: request bodies in, frames and problems out."""
