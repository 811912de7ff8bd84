"""How well a map agrees with a reference: matrices, scores, estimates and their uncertainty."""
