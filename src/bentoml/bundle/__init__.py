"""Saved bundles on disk: layout, `bentoml.yml`, manifest, saving and loading."""
