"""The QGIS side: provider, algorithms, job client, environment, styling."""
