"""Weights in 8 bits, with one scale for each output, whose sums no CPU cuts off."""

import numpy as np
from numpy.typing import NDArray

Int8 = NDArray[np.int8]

LARGEST_ACTIVATION = 255

LARGEST_PAIR = 32767 // LARGEST_ACTIVATION - 1
"""The most that two neighbouring weights of one sign may sum up to, before they are rounded.

A CPU without 8-bit dot products (VNNI) multiplies two neighbouring activations and weights, and adds the products in
16 bits (VPMADDUBSW). Above 32,767, the sum is cut off. The usual remedy is weights of 7 bits. This rule loses less:
the largest weight of an output is rarely beside another large weight of the same sign.
"""


def round_weights(weights: NDArray[np.float64], *, in_pairs: bool) -> tuple[Int8, NDArray[np.float64]]:
    """Round the weights of each output to whole multiples of a scale.

    weights: (outputs, inputs), the inputs in the order in which the CPU adds them.
    in_pairs: whether the CPU adds neighbouring inputs in 16 bits. It does not in depthwise convolutions.
    Returns (outputs, inputs) int8 in -127..127, and (outputs,) the scales.
    """
    scales = np.abs(weights).max(axis=1) / 127
    if in_pairs:
        pairs = np.pad(weights, ((0, 0), (0, weights.shape[1] % 2))).reshape(len(weights), -1, 2)
        sums = np.maximum(_pair_sums(pairs), _pair_sums(-pairs))
        scales = np.maximum(scales, sums / LARGEST_PAIR)
    scales = np.where(scales == 0, 1.0, scales)
    return np.clip(np.rint(weights / scales[:, None]), -127, 127).astype(np.int8), scales


def _pair_sums(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest sum of the positive numbers of a pair, for each output."""
    positive = np.maximum(pairs, 0)
    sums: NDArray[np.float64] = (positive[:, :, 0] + positive[:, :, 1]).max(axis=1)
    return sums
