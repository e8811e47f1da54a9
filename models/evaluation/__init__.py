"""What a model is worth: verification on pairs of photographs, clustering of people."""
