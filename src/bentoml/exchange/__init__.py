"""Models and bundles in the forms of other tools, and back.

import_mlflow("models/churn", name="Churn")     # an MLflow model, saved as a service of its own
export_mlflow("Churn:latest", "churn-mlflow")   # a bundle, as a model that MLflow loads
"""

from __future__ import annotations

from .mlflow_export import export_mlflow
from .mlflow_import import import_mlflow

__all__ = ["export_mlflow", "import_mlflow"]
