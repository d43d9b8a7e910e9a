"""Load for a running service: streams with churn, what they saw, and what the service's processes used meanwhile."""
