"""Exists only because pickles and imports of the 0.13 line name `bentoml.utils.cloudpickle`.

Nothing new belongs here; a module is named after its job, in the area it serves.
"""
