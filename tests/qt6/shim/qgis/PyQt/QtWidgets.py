"""QtWidgets of PyQt6, under the name that QGIS gives it."""

from PyQt6.QtWidgets import *  # noqa: F403
