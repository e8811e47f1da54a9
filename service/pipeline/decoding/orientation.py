"""The EXIF orientation of a photograph: how the camera was held."""

from PIL import Image as Pillow

EXIF_ORIENTATION = 0x0112
EXIF_TRANSPOSES = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""The operation that makes a picture upright, by its EXIF orientation (Exif 2.32, section 4.6.4)."""


def make_upright(picture: Pillow.Image) -> Pillow.Image:
    """Turn and mirror the picture as its EXIF block says. Without a valid one, it stays as it is."""
    transpose = EXIF_TRANSPOSES.get(_orientation(picture.info.get("exif")))
    return picture if transpose is None else picture.transpose(transpose)


def _orientation(exif: object) -> int:
    """Read the orientation from the first directory of an EXIF block (a TIFF file).

    The result is 1 or 0 if the orientation is absent or damaged.
    """
    tiff = exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if tiff.startswith(b"II") else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if number(entry, 2) == EXIF_ORIENTATION:
            return number(entry + 8, 2)
    return 1
