"""The stand-in for the hub, for model repositories instead of datasets."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from hub_server import TOKEN, HubServer

__all__ = ["TOKEN", "ModelHub"]
_OTHER = re.compile(r"^/(?!api/|lfs/|datasets/)([^/]+/[^/]+(?:\.git)?/)")


class ModelHub(HubServer):
    """Serves at the addresses of models what the stand-in serves at those of datasets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        served = self._server.RequestHandlerClass

        class Handler(served):  # type: ignore[misc, valid-type]
            def _route(self, path: str, body: bytes) -> Any:
                path = path.replace("/api/models/", "/api/datasets/", 1)
                return super()._route(_OTHER.sub(r"/datasets/\1", path), body)

            def _commit(self, name: str, revision: str, body: bytes) -> Any:
                if not self.query.get("create_pr"):
                    return super()._commit(name, revision, body)
                repo = self._repo(name, write=True)
                title = json.loads(body.splitlines()[0])["value"]["summary"]
                repo.requests.append({"title": title})
                branch = f"refs/pr/{len(repo.requests)}"
                repo.branches[branch] = repo.branches[revision]
                url = f"{self.hub.url}/{name}/discussions/{len(repo.requests)}"
                return {**super()._commit(name, branch, body), "pullRequestUrl": url}

        self._server.RequestHandlerClass = Handler
