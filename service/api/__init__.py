"""HTTP: what comes in and goes out as JSON. The rules are in `decisions`; this only speaks for them."""
