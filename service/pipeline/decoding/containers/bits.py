"""Numbers of any number of bits, the most significant bit first."""

from service.pipeline.decoding.containers.outline import cut_off

MAX_LEADING_ZEROS = 32


class Bits:
    """Reads numbers from bytes. Raises UnreadableImage at the end of the bytes."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """Return the next `count` bits as a number."""
        self._left -= count
        if self._left < 0:
            raise cut_off()
        return (self._value >> self._left) & ((1 << count) - 1)

    def read_leading_zeros_code(self) -> int:
        """Return the next number: n zeros, a one, and n bits. ue(v) of HEVC (ITU-T H.265, 9.2), uvlc() of AV1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > MAX_LEADING_ZEROS:
                raise cut_off()
        return (1 << zeros) - 1 + self.read(zeros)
