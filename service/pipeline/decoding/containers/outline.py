"""What the bytes of a photograph tell before a decoder is opened, and the refusals."""

from dataclasses import dataclass

from service.domain.errors import ImageTooComplex, ImageTooLarge, UnreadableImage

MAX_SIDE_PX = 65_535
"""The longest side of a JPEG. No camera and no panorama has a longer one.

Decoders keep a few dozen bytes for each row, so a picture that is 2 pixels wide takes many times its pixels.
"""

SAVE_AGAIN = "Open the photograph in an image editor, save it again as a JPEG or PNG, and send that."


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The first picture of a file.

    width, height: in pixels, as a decoder will allocate it; not yet turned.
    parts: what a decoder needs of the file. Joined, they are a file of the same format.
    exif: the EXIF block, if it tells how to turn the picture. A TIFF file, with or without the start `Exif`.
    has_more_pictures: whether the file has further pictures, which are left out.
    corner: x and y of the upper left pixel of the parts in the picture, if they are only a part of it.
    is_reducible: whether a decoder can make a smaller picture of it for less work and less memory.
    """

    width: int
    height: int
    parts: tuple[bytes, ...]
    exif: bytes = b""
    has_more_pictures: bool = False
    corner: tuple[int, int] = (0, 0)
    is_reducible: bool = False

    @property
    def data(self) -> bytes:
        """The file for the decoder."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise ImageTooLarge if a picture has too many pixels, or too long a side."""
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The image of {width} x {height} pixels is larger than the limit of {max_pixels} pixels. Send a smaller "
            "one."
        )
    if max(width, height) > MAX_SIDE_PX:
        raise ImageTooLarge(
            f"The image of {width} x {height} pixels has a side of more than {MAX_SIDE_PX} pixels. Send a smaller one."
        )


def too_complex(reason: str) -> ImageTooComplex:
    """Return the refusal of a file that takes too long to read. reason: a sentence without its full stop."""
    return ImageTooComplex(f"{reason}. {SAVE_AGAIN}")


def cut_off() -> UnreadableImage:
    """Return the refusal of a file that lacks bytes, or whose bytes are wrong."""
    return UnreadableImage("The image is cut off or damaged. Send the whole file.")
