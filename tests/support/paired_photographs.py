"""A photograph of two people, made of two photographs."""

from pathlib import Path

from PIL import Image


def put_side_by_side(left: Path, right: Path, target: Path) -> None:
    """Write a JPEG with one photograph at the left and the other at the right."""
    images = [Image.open(file).convert("RGB") for file in (left, right)]
    both = Image.new("RGB", (sum(image.width for image in images), max(image.height for image in images)))
    both.paste(images[0], (0, 0))
    both.paste(images[1], (images[0].width, 0))
    both.save(target, quality=95)
