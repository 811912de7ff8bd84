"""QtCore of PyQt6, under the name that QGIS gives it."""

from PyQt6.QtCore import *  # noqa: F403
