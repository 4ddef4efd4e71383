"""Composition functions for the `platform.gravitek.io` APIs: `kit` is shared, every other package is one kind of claim."""
