"""Artifacts for machine learning frameworks, one module each: `bentoml.frameworks.<framework>`."""
