"""Grafana's dashboards as code: `python -m deploy.grafana FOLDER` writes one JSON file per dashboard.

Only the standard library, and nothing of Tickwire's: it runs wherever there is a Python, in the image too.
"""
