"""HPCL-Net: relic landslides from image and elevation."""
