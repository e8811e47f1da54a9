"""Calibrations for tests: the FMR rises tenfold from row to row."""

from typing import Any


def calibration_fields(lowest_fmr: float = 1e-6, rows: int = 6) -> dict[str, Any]:
    """Return the fields of a calibration. Its thresholds are 1.0, 1.1, ... and its FMR 1e-6, 1e-5, ..."""
    return {
        "people": 1000,
        "non_mated_pairs": 9_000_000,
        "mated_pairs": 20_000,
        "measured_on": "nobody",
        "rates": [
            {
                "threshold_sq_l2": round(1.0 + row / 10, 1),
                "fmr": fmr,
                "fmr_interval": (fmr / 2, min(2 * fmr, 1.0)),
                "fnmr": round(0.5 - row / 20, 2),
                "fnmr_interval": (round(0.4 - row / 20, 2), round(0.6 - row / 20, 2)),
            }
            for row, fmr in enumerate(float(f"{lowest_fmr * 10**row:.6g}") for row in range(rows))
        ],
    }
