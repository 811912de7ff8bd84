"""QtGui of PyQt6, under the name that QGIS gives it."""

from PyQt6.QtGui import *  # noqa: F403
