"""What `/metrics` says: the batches of the embedder, and the time of each stage."""

from dataclasses import dataclass
from math import inf
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

BATCHES = "face_batch_crops"
STAGES = "face_stage_seconds"


@dataclass(frozen=True)
class MetricsSnapshot:
    """The counters of a service at one time.

    batches: how many calls of the embedder had at most so many crops.
    stages_s: the time of each stage, of all requests together.
    """

    batches: dict[float, float]
    stages_s: dict[str, float]

    @classmethod
    def fetch(cls, url: str) -> Self:
        """Read the metrics of a service."""
        return cls.parse(httpx.get(f"{url}/metrics").raise_for_status().text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the exposition format of Prometheus."""
        samples = [
            sample
            for family in text_string_to_metric_families(text)
            if family.name in {BATCHES, STAGES}
            for sample in family.samples
        ]
        return cls(
            batches={float(one.labels["le"]): one.value for one in samples if one.name == f"{BATCHES}_bucket"},
            stages_s={one.labels["stage"]: one.value for one in samples if one.name == f"{STAGES}_sum"},
        )

    def batches_since(self, earlier: Self) -> dict[str, int]:
        """Return how many calls had `1`, `2`, `3-4`, ... crops since then. Sizes that did not occur are left out."""
        counts = {}
        below, counted = 0.0, 0
        for bound in sorted(self.batches):
            until = round(self.batches[bound] - earlier.batches.get(bound, 0.0))
            if until > counted:
                counts[_name_sizes(below, bound)] = until - counted
            below, counted = bound, until
        return counts

    def stages_since(self, earlier: Self) -> dict[str, float]:
        """Return the seconds of each stage since then."""
        return {name: total_s - earlier.stages_s.get(name, 0.0) for name, total_s in self.stages_s.items()}


def _name_sizes(below: float, bound: float) -> str:
    if bound == inf:
        return f"more than {below:g}"
    return f"{bound:g}" if bound == below + 1 else f"{below + 1:g}-{bound:g}"
