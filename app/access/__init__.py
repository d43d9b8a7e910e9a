"""Who may use the service, from where, and how much: decided before anything of a request's body is read."""
