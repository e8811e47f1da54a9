"""What a key needs for each route. A route that is not in this table is refused."""

from dataclasses import dataclass

from fastapi import Request

from service.domain.access import Scope, current_access, require_collection
from service.domain.access_errors import AllCollectionsNeeded, ScopeMissing


@dataclass(frozen=True, slots=True)
class Need:
    """What a key needs for a route.

    scope: None: every valid key is enough.
    all_collections: whether the route concerns all collections. A key for some collections is then refused.
    scope_for_collection: what the key needs besides, if the query names a collection. None: nothing more.
    """

    scope: Scope | None
    all_collections: bool = False
    scope_for_collection: Scope | None = None

    def scopes_for(self, request: Request) -> list[Scope]:
        """Return the scopes that a request needs."""
        asked = (self.scope, self.scope_for_collection if "collection" in request.query_params else None)
        return [scope for scope in asked if scope is not None]


PUBLIC_ROUTES = frozenset({"/livez", "/readyz", "/docs", "/", "/console/{file:path}"})
"""They need no key, and tell nothing of what is stored. Probes have no key, and a browser opens pages without one."""

NEEDS = {
    ("POST", "/verify"): Need(Scope.VERIFY),
    ("POST", "/identify"): Need(Scope.VERIFY),
    # The clusters of a collection have the ids of all its subjects and faces, so they are a list of it.
    ("POST", "/cluster"): Need(Scope.VERIFY, scope_for_collection=Scope.READ),
    ("POST", "/embed"): Need(Scope.VERIFY),
    ("GET", "/model"): Need(None),
    ("GET", "/collections"): Need(Scope.READ),
    ("GET", "/collections/{collection}"): Need(Scope.READ),
    ("PUT", "/collections/{collection}"): Need(Scope.ENROL),
    ("PATCH", "/collections/{collection}"): Need(Scope.ADMIN),
    ("DELETE", "/collections/{collection}"): Need(Scope.ADMIN),
    ("GET", "/collections/{collection}/export"): Need(Scope.ADMIN),
    ("POST", "/collections/{collection}/import"): Need(Scope.ADMIN),
    ("GET", "/collections/{collection}/calibration"): Need(Scope.READ),
    ("POST", "/collections/{collection}/calibration"): Need(Scope.ADMIN),
    ("DELETE", "/collections/{collection}/calibration"): Need(Scope.ADMIN),
    ("GET", "/collections/{collection}/reembedding"): Need(Scope.READ),
    ("POST", "/collections/{collection}/reembedding"): Need(Scope.ADMIN),
    ("DELETE", "/collections/{collection}/reembedding"): Need(Scope.ADMIN),
    ("PUT", "/collections/{collection}/model"): Need(Scope.ADMIN),
    ("GET", "/collections/{collection}/subjects"): Need(Scope.READ),
    ("POST", "/collections/{collection}/subjects"): Need(Scope.ENROL),
    ("GET", "/collections/{collection}/subjects/{subject}"): Need(Scope.READ),
    ("PUT", "/collections/{collection}/subjects/{subject}"): Need(Scope.ENROL),
    ("PATCH", "/collections/{collection}/subjects/{subject}"): Need(Scope.ENROL),
    ("DELETE", "/collections/{collection}/subjects/{subject}"): Need(Scope.ENROL),
    ("POST", "/collections/{collection}/subjects/{subject}/merge"): Need(Scope.ENROL),
    ("GET", "/collections/{collection}/subjects/{subject}/export"): Need(Scope.READ),
    ("GET", "/collections/{collection}/subjects/{subject}/faces"): Need(Scope.READ),
    ("POST", "/collections/{collection}/subjects/{subject}/faces"): Need(Scope.ENROL),
    ("POST", "/collections/{collection}/faces"): Need(Scope.ENROL),
    ("GET", "/collections/{collection}/faces/{face}"): Need(Scope.READ),
    ("GET", "/collections/{collection}/faces/{face}/crop"): Need(Scope.READ),
    ("DELETE", "/collections/{collection}/crops"): Need(Scope.ADMIN),
    ("PATCH", "/collections/{collection}/faces/{face}"): Need(Scope.ENROL),
    ("DELETE", "/collections/{collection}/faces/{face}"): Need(Scope.ENROL),
    ("GET", "/keys"): Need(Scope.ADMIN, all_collections=True),
    ("POST", "/keys"): Need(Scope.ADMIN, all_collections=True),
    ("DELETE", "/keys/{key_id}"): Need(Scope.ADMIN, all_collections=True),
    ("POST", "/keys/{key_id}/rotate"): Need(Scope.ADMIN, all_collections=True),
    ("POST", "/backup"): Need(Scope.ADMIN, all_collections=True),
    ("GET", "/metrics"): Need(Scope.METRICS, all_collections=True),
}


async def require_access(request: Request) -> None:
    """Refuse the request if its key does not allow it. The body has not been read yet.

    A collection that the body names is checked where its records are read.

    Raises ScopeMissing, AllCollectionsNeeded or CollectionNotFound.
    """
    path = request.scope["route"].path
    if path in PUBLIC_ROUTES:
        return
    need = NEEDS[request.method, path]
    for scope in need.scopes_for(request):
        require_scope(scope)
    if need.all_collections and current_access().collections is not None:
        raise AllCollectionsNeeded
    for named in (request.path_params, request.query_params):
        if "collection" in named:
            require_collection(named["collection"])


def require_scope(scope: Scope) -> None:
    """Raise ScopeMissing if the key of the request does not have the scope."""
    if scope not in current_access().scopes:
        raise ScopeMissing(scope)
