"""The PostgreSQL claim: `compose` is the way in, each provider is one module."""
