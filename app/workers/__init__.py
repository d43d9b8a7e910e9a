"""Several processes of the service on one machine, each an instance of it, and the one that looks after them."""
