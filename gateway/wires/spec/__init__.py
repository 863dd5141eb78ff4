"""What the gateway speaks, written down: OpenAPI, AsyncAPI, and a page for people made from both."""
