"""What HTTP needs: bodies in, frames and problems out."""
