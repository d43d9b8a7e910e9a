"""`scripts/dashboard`: the dashboard for Grafana, drawn without it from a real Prometheus."""
