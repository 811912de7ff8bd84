"""Qt 6, where QGIS has Qt."""
