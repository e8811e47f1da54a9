"""The face-recognition service: photographs in, decisions out."""
