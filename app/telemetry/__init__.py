"""What operators see of the service from outside: metrics for Prometheus, and traces for OpenTelemetry."""
