"""How the service talks to Milvus. Every call has a time limit, and an error says that the search is unavailable."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import structlog

from service.domain.command_errors import InvalidSettings, SearchServerUnusable
from service.domain.embedding import Embeddings
from service.domain.errors import SearchUnavailable
from service.gallery.search.milvus.address import MilvusAddress
from service.gallery.search.milvus.stored_rows import (
    COLLECTION,
    EMBEDDING,
    MARK,
    NUMBER,
    FaceRows,
    Row,
    description,
    dimension_of,
    name_prefix,
    new_collection_name,
)

if TYPE_CHECKING:
    from pymilvus import MilvusClient

LOG = structlog.get_logger(__name__)
Consistency = Literal["Strong", "Bounded"]
"""Strong sees all that was acknowledged, after 40 to 400 ms. Bounded can miss the last seconds, and does not wait."""

CONNECT_S = 5.0
RECONNECTING = {"grpc.max_reconnect_backoff_ms": 1_000}
"""Milvus is called again each second. gRPC would wait up to two minutes between two attempts after a long outage."""
SEARCH_S = 5.0
"""A search that takes longer is answered with 503."""
CALL_S = 15.0
"""The same for what is done in the background. Replicas wait for each other meanwhile."""
CREATE_S = 60.0
PARTITIONS = 16
"""Each collection of the gallery is in one of them, so a search reads a part of the faces. Each costs some memory."""
INDEX: dict[str, Any] = {
    "index_type": "HNSW",
    "metric_type": "L2",
    "params": {"M": 16, "efConstruction": 200},
}
EF = 1_024
"""How many neighbours HNSW keeps in mind. With the same index in FAISS, 256 missed 4 % of the people in a million
faces. More costs less than the rest of a search."""
MOST_ROWS = 16_000
"""The most rows of one answer. Milvus gives 16,384."""


class MilvusServer:
    """The faces of one gallery in Milvus. There is one collection of Milvus for each dimension.

    Every method raises SearchUnavailable if Milvus does not do it in time.

    gallery: the id of the gallery.
    is_away: whether the last search, or the last look for the collections, failed. Then nothing is searched.
    """

    def __init__(self, address: MilvusAddress, gallery: str) -> None:
        self._address = address
        self._gallery = gallery
        self._known: dict[int, str] = {}
        self.is_away = False
        self._client = _connect(address)

    @property
    def dimensions(self) -> list[int]:
        """The dimensions that have a collection in Milvus."""
        return sorted(self._known)

    def find(self, dimension: int | None = None) -> dict[int, str]:
        """Return the complete collections of this dimension, or of all. They are checked and loaded.

        The index of a collection comes last, and then its first face.
        Raises SearchServerUnusable if one is of another gallery or version.
        """
        with self._answering():
            names = self._names(dimension)
            return {self._open(name): name for name in names if self._has_index(name)}

    def has_lost(self, found: dict[int, str]) -> bool:
        """Return whether a known collection is not among these any more."""
        return found | self._known != found

    def use(self, found: dict[int, str]) -> None:
        """Search in these collections from now on."""
        self._known = found

    def has(self, dimension: int) -> bool:
        """Return whether there is a collection for this dimension. Another replica may have made it."""
        if dimension not in self._known:
            found = self.find(dimension)  # it takes a while, and `use` may be called meanwhile
            self._known = self._known | found
        return dimension in self._known

    def search(
        self, dimension: int, collection: int, probes: Embeddings, most: int, consistency: Consistency
    ) -> list[list[int]]:
        """Return the numbers of the faces that Milvus finds nearest to each probe. probes: (n, d) float32.

        collection: the key in the records. A face can be deleted already.
        """
        if not len(probes) or not self.has(dimension):
            return [[] for _ in probes]
        with self._answering():
            found = self._client.search(
                self._known[dimension],
                data=list(probes),
                filter=f"{COLLECTION} == {collection}",
                limit=most,
                search_params={"metric_type": "L2", "params": {"ef": max(EF, most)}},
                output_fields=[NUMBER],
                consistency_level=consistency,
                timeout=SEARCH_S,
            )
            return [list(hits.ids) for hits in found]

    def create(self, dimension: int) -> None:
        """Create the collection for a dimension, without a face."""
        name = new_collection_name(self._gallery, dimension)
        index = self._client.prepare_index_params()
        index.add_index(EMBEDDING, **INDEX)
        options: dict[str, Any] = {"num_partitions": PARTITIONS, "consistency_level": "Strong", "timeout": CREATE_S}
        with _errors():
            for half_made in self._names(dimension):  # by a replica that was killed
                self._client.drop_collection(half_made, timeout=CALL_S)
            schema = _schema(self._gallery, dimension)
            self._client.create_collection(name, schema=schema, index_params=index, **options)
            self._open(name)
            self._known |= {dimension: name}
        LOG.info("search_collection_created", name=name)

    def insert(self, rows: FaceRows) -> None:
        """Insert faces that Milvus does not have. They are never replaced: delete them first."""
        dimension = rows.embeddings.shape[1]
        if not self.has(dimension):
            self.create(dimension)
        with _errors():
            self._client.insert(self._known[dimension], rows.as_entities(), timeout=CALL_S)

    def delete(self, numbers: Sequence[int]) -> None:
        """Delete faces. Unknown numbers are ignored."""
        for dimension in self.dimensions:
            self.delete_from(dimension, numbers)

    def delete_from(self, dimension: int, numbers: Sequence[int]) -> None:
        """Delete faces of one dimension."""
        if numbers:
            with _errors():
                self._client.delete(self._known[dimension], ids=list(numbers), timeout=CALL_S)

    def delete_collection(self, collection: int) -> int:
        """Delete all faces of a collection of the gallery. collection: its key. Return how many there were."""
        deleted = 0
        for dimension in self.dimensions:
            while found := self._query(dimension, f"{COLLECTION} == {collection}", "Strong"):
                self.delete_from(dimension, list(found))
                deleted += len(found)
        return deleted

    def rows_between(self, dimension: int, after: int, last: int, consistency: Consistency) -> dict[int, Row]:
        """Return faces with these numbers, at most MOST_ROWS: the collection and the mark of each, by number."""
        return self._query(dimension, f"{NUMBER} > {after} and {NUMBER} <= {last}", consistency)

    def remove_remains(self) -> None:
        """Ask Milvus to write its files again without deleted faces. It does so in its own time."""
        for dimension in self.dimensions:
            with _errors():
                self._client.compact(self._known[dimension], timeout=CALL_S)

    def close(self) -> None:
        """Close the connection."""
        with suppress(Exception):  # it can be broken already
            self._client.close()

    def _query(self, dimension: int, condition: str, consistency: Consistency) -> dict[int, Row]:
        with _errors():
            found = self._client.query(
                self._known[dimension],
                filter=condition,
                output_fields=[NUMBER, COLLECTION, MARK],
                limit=MOST_ROWS,
                consistency_level=consistency,
                timeout=CALL_S,
            )
            return {row[NUMBER]: (row[COLLECTION], row[MARK]) for row in found}

    def _has_index(self, name: str) -> bool:
        """Return whether the index was made. Not if the collection was dropped meanwhile: `create` does that."""
        from pymilvus.exceptions import ErrorCode, MilvusException  # noqa: PLC0415  # it is needed only here

        try:
            return bool(self._client.list_indexes(name, timeout=CALL_S))
        except MilvusException as error:
            if error.code == ErrorCode.COLLECTION_NOT_FOUND:
                return False
            raise

    def _names(self, dimension: int | None) -> list[str]:
        prefix = name_prefix(self._gallery, dimension)
        return sorted(name for name in self._client.list_collections(timeout=CALL_S) if name.startswith(prefix))

    def _open(self, name: str) -> int:
        """Check a collection of Milvus, and load it. Return its dimension. Raises SearchServerUnusable."""
        described = self._client.describe_collection(name, timeout=CALL_S)
        dimension = dimension_of(name)
        expected = _schema(self._gallery, dimension)
        is_same = described["description"] in {"", expected.description}  # Milvus Lite keeps no description
        if not is_same or _outline(described["fields"]) != _outline(expected.to_dict()["fields"]):
            raise SearchServerUnusable(
                f"The collection {name} at {self._address} is of another gallery or another version of the service. "
                "Use another Milvus database, or drop the collection: it is filled again from the records."
            )
        self._client.load_collection(name, timeout=CREATE_S)
        return dimension

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn errors of Milvus into SearchUnavailable, and note whether it answers."""
        try:
            with _errors():
                yield
        except SearchUnavailable as error:
            if not self.is_away:
                LOG.warning("search_server_lost", address=str(self._address), reason=reason(error))
            self.is_away = True
            raise
        if self.is_away:
            LOG.info("search_server_found_again", address=str(self._address))
        self.is_away = False


@contextmanager
def _errors() -> Iterator[None]:
    """Turn errors of Milvus into SearchUnavailable. A Milvus that takes no changes, or not now, can still search."""
    from grpc import RpcError  # noqa: PLC0415  # as pymilvus, it is needed only here
    from pymilvus.exceptions import MilvusException  # noqa: PLC0415

    try:
        yield
    except (MilvusException, RpcError, OSError) as error:
        raise SearchUnavailable from error


def require_server(address: MilvusAddress) -> None:
    """Raise SearchServerUnusable if Milvus does not answer, or InvalidSettings if its package is not installed."""
    _connect(address).close()


def _connect(address: MilvusAddress) -> "MilvusClient":
    try:
        from grpc import RpcError  # noqa: PLC0415  # it is installed with pymilvus, and only where that is used
        from pymilvus import MilvusClient  # noqa: PLC0415
        from pymilvus.exceptions import MilvusException  # noqa: PLC0415
    except ImportError:
        raise InvalidSettings(
            "FACE_GALLERY__INDEX=milvus needs pymilvus. Run: pip install facenet-service[milvus]"
        ) from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # each error is logged here, and only once
    try:
        return MilvusClient(address.uri, token=address.token, timeout=CONNECT_S, grpc_options=RECONNECTING)
    except (MilvusException, RpcError) as error:  # a server that is slow to answer lets pymilvus raise the second
        raise SearchServerUnusable(
            f"Milvus at {address} cannot be used: {_first_line(error)}. Check that Milvus runs, "
            "FACE_GALLERY__MILVUS_URI and FACE_GALLERY__MILVUS_TOKEN_FILE."
        ) from None


def _schema(gallery: str, dimension: int) -> Any:  # noqa: ANN401  # of pymilvus, which has no types
    from pymilvus import DataType, MilvusClient  # noqa: PLC0415

    about = description(gallery, dimension)
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=about)
    schema.add_field(NUMBER, DataType.INT64, is_primary=True)
    schema.add_field(COLLECTION, DataType.INT64, is_partition_key=True)
    schema.add_field(MARK, DataType.INT64)
    schema.add_field(EMBEDDING, DataType.FLOAT_VECTOR, dim=dimension)
    return schema


def _outline(fields: Sequence[dict[str, Any]]) -> set[tuple[str, int, int]]:
    """Return the name, the type and the dimension of each field."""
    return {(field["name"], int(field["type"]), int(field.get("params", {}).get("dim", 0))) for field in fields}


def reason(error: SearchUnavailable) -> str:
    """Return what Milvus says, in one line. It holds no vector."""
    return _first_line(error.__cause__ or error)


def _first_line(error: BaseException) -> str:
    message = error.details() if hasattr(error, "details") else getattr(error, "message", "")  # of gRPC, of pymilvus
    return str(message or error).strip().partition("\n")[0][:300].rstrip(".")
