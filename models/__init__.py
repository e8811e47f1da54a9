"""What makes and measures model files. Nothing in production imports it."""
