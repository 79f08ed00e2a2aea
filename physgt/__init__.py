"""Learned time steps of simulations on unstructured meshes.

Nouns are imported from here; verbs from their rooms: `physgt.datasets`,
`physgt.rollout` and `physgt.viz`.
"""

from importlib.metadata import version

from physgt.errors import PhysgtError

__version__ = version("physgt")

__all__ = ["PhysgtError", "__version__"]
