"""The science and the worker of Terraweave: no QGIS, no Qt."""

__version__ = "0.1.0"
