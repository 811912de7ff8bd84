"""QGIS 4 hands PyQt6 on under this name; so does this file where there is no QGIS."""

from PyQt6.QtGui import *  # noqa: F403
