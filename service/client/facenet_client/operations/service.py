"""All operations of a client."""

from facenet_client.calls import Call, Download, Listing, Sink, json_as
from facenet_client.operations.decisions import Decisions
from facenet_client.operations.gallery import Collection
from facenet_client.operations.keys import Keys
from facenet_client.operations.operation import Sends, downloaded, listed, sent
from facenet_client.schemas import CollectionAnswer, CollectionsAnswer, HealthAnswer, LoadedModelAnswer


class Service(Decisions[Sends]):
    """A running service."""

    @property
    def keys(self) -> Keys[Sends]:
        """The access keys."""
        return Keys(self._transport)

    def collection(self, id: str = "default") -> Collection[Sends]:  # noqa: A002  # as in the answers
        """Return a collection, to work with it. Nothing is sent."""
        return Collection(self._transport, id)

    @listed
    def collections(self) -> Listing[CollectionAnswer]:
        """List all collections that the key sees, by id."""
        return Listing("/collections", json_as(CollectionsAnswer))

    @sent
    def model(self) -> Call[LoadedModelAnswer]:
        """Return the loaded embedder: its id, its thresholds and error rates."""
        return Call("GET", "/model", json_as(LoadedModelAnswer))

    @sent
    def ready(self) -> Call[HealthAnswer]:
        """Return normally if the service is ready. Otherwise, the request is refused."""
        return Call("GET", "/readyz", json_as(HealthAnswer))

    @downloaded
    def backup(self, target: Sink) -> Download:
        """Write a backup of the whole gallery to a file that is opened with "wb"."""
        return Download("POST", "/backup", target)
