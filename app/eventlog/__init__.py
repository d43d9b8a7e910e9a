"""Where the events of running replies are kept. One module an implementation."""
