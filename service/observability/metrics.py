"""The metrics of the service, for Prometheus. Labels are bounded: no label holds an id, a name or text of a client."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

STAGE_SECONDS = Histogram(
    "face_stage_seconds",
    "Time in one stage of a request. The stage queue is waiting, the stage embed is computing.",
    ["stage"],
    buckets=_SECONDS,
)
REQUEST_SECONDS = Histogram(
    "face_request_seconds", "Time of a whole request.", ["method", "route", "status"], buckets=_SECONDS
)
BATCH_CROPS = Histogram("face_batch_crops", "Crops in one call of the embedder.", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
QUEUED_CROPS = Gauge("face_queued_crops", "Crops that wait for the embedder.")
IMAGES_IN_FLIGHT = Gauge("face_images_in_flight", "Images that were admitted and not yet answered.")
GALLERY_FACES = Gauge("face_gallery_faces", "Enrolled faces, over all collections.")
GALLERY_REMAINS = Gauge(
    "face_gallery_remains",
    "1 while the database file can hold bytes of deleted content, until it is rewritten. Else 0.",
)
INDEX_AGREEMENT = Gauge(
    "face_index_agreement",
    "Of a sample of enrolled faces, the share whose nearest other face a compressed index finds. The lowest of all "
    "collections that were measured. 1 if all indexes in memory are exact. NaN if none was measured yet.",
)
MEMORY = Gauge(
    "face_memory_bytes",
    "Memory of the process, without files that are mapped into it. The system can drop those at any time.",
)
MEMORY_LIMIT = Gauge(
    "face_memory_limit_bytes",
    "Memory that the process may use: the limit of its container, or the memory of the machine.",
)
DECISIONS = Counter("face_decisions", "Decisions by kind and outcome.", ["decision", "outcome"])
REFUSALS = Counter("face_refusals", "Requests that were refused, by the code of the answer.", ["code"])
EVENT_LOOP_LAG = Histogram(
    "face_event_loop_lag_seconds",
    "How late the event loop ran a task that was due. Meanwhile, no request was read, begun or answered.",
    buckets=_SECONDS,
)
LONGEST_CALL_SECONDS = Gauge(
    "face_longest_call_seconds",
    "How long the longest call of a model or a decoder has been running. One that hangs never ends.",
)
CONNECTIONS = Gauge("face_connections", "Open connections.")
CONNECTIONS_DISPLACED = Counter(
    "face_connections_displaced", "Connections without a request that were closed because there were too many."
)
AUDIT_WAITING_LINES = Gauge("face_audit_waiting_lines", "Lines of the audit log that are not written yet.")
AUDIT_LOST_LINES = Counter(
    "face_audit_lost_lines", "Lines of decisions and refusals that were not written because the disk was full."
)
