"""What the service tells of itself: logs, metrics, timings. No image, vector or name is in any of them."""
