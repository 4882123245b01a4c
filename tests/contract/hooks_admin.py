"""Sends to rows that exist, as the administrator: what follows from the document alone has ids that nothing has."""

import sys
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

sys.path.insert(0, str(Path(__file__).parent))
import hooks  # noqa: F401 -- registers what is let off

LOGIN = {"email": "admin@example.com", "password": "seven tall ships at sea"}
KEPT = 5  # rows of a resource that are not deleted
OTHERS = count()


class Rows:
    """The ids of the service's rows. Those of the administrator are left out: it must go on to be signed in."""

    def __init__(self, base: str):
        self.base, self.http = base, requests.Session()
        self.own = {self.get("/api/auth/me")["id"]}
        self.references = {
            resource["name"]: {field["name"]: field["reference"] for field in resource["fields"] if field["reference"]}
            for resource in self.get("/api/admin")
        }
        self.known: dict[str, list[str]] = {}
        self.turn = count()

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request of the administrator, who signs in again when the run has ended the session."""
        answer = self.http.request(method, f"{self.base}{path}", json=body)
        if answer.status_code == requests.codes.unauthorized:
            signed_in = self.http.post(f"{self.base}/api/auth/login", json=LOGIN).json()
            self.http.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
            answer = self.http.request(method, f"{self.base}{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def of(self, resource: str, *, last: bool = False) -> str:
        """One after the other. Some remain where it is the `last` use of a row: then one that there is not."""
        if resource not in self.known:
            mark = "&" if "?" in resource else "?"
            found = self.get(f"/api/admin/{resource}{mark}limit=100&facets=false&sort=-id")["items"]
            self.known[resource] = [row["id"] for row in found if row["id"] not in self.own]
        known = self.known[resource]
        if len(known) <= (KEPT if last else 0):
            return str(uuid4())
        return known.pop() if last else known[next(self.turn) % len(known)]

    def forget(self, resource: str) -> None:
        self.known = {name: ids for name, ids in self.known.items() if name.partition("?")[0] != resource}

    def change_of(self, resource: str) -> tuple[str, str]:
        """A row and a change in its history."""
        changes = self.get("/api/admin/audit?limit=200&facets=false&sort=-id")["items"]
        found = [one for one in changes if one["action"] == f"{resource}.change" and one["subject_id"] not in self.own]
        return (found[0]["subject_id"], found[0]["id"]) if found else (self.of(resource), str(uuid4()))

    def new_import(self) -> str:
        """The id of a file that was uploaded."""
        return str(self.send("POST", "/api/admin/tasks/import/jobs", {"csv": "title\nWater the plants\n"})["id"])


rows: list[Rows] = []


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Where a case has what the document allows, give it ids of rows and a key of its own.

    Every other case goes without the version and the cursor that the document cannot know.
    """
    if case.meta is None or not case.path.startswith("/api/admin/"):
        return
    if not rows:
        rows.append(Rows(case.operation.schema.get_base_url().rstrip("/")))
    if not case.meta.is_negative_at(ParameterLocation.PATH) and case.path_parameters:
        _aim(rows[0], case)
    if not case.meta.is_negative_at(ParameterLocation.HEADER) and "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = uuid4().hex
    if next(OTHERS) % 2:
        (case.headers or {}).pop("If-Match", None)
        (case.query or {}).pop("cursor", None)
    if not case.meta.is_negative_at(ParameterLocation.BODY) and isinstance(case.body, dict):
        _refer(rows[0], case)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Look again which rows there are after a change."""
    if case.method != "GET" and rows and response.status_code < 300 and case.path.startswith("/api/admin/"):
        rows[0].forget(case.path.split("/")[3])


def _aim(found: Rows, case: Any) -> None:
    given, resource = case.path_parameters, case.path.split("/")[3]
    if "event_id" in given:
        given["row_id"], given["event_id"] = found.change_of(resource)
    elif "row_id" in given:
        in_trash = "?trash=true" if case.path.endswith("/restore") else ""
        given["row_id"] = found.of(resource + in_trash, last=case.method == "DELETE" or bool(in_trash))
    elif "import_id" in given:
        given["import_id"] = found.new_import()


def _refer(found: Rows, case: Any) -> None:
    resource, body = case.path.split("/")[3], case.body
    if {"ids", "matching"} & body.keys():  # one row, so that the others remain
        row_id = found.of(resource, last=case.path.endswith("/delete"))
        if isinstance(body.get("matching"), dict):
            body["matching"] |= {"filters": {}, "q": row_id}
        else:
            body["ids"] = [row_id]
    form = body["form"] if isinstance(body.get("form"), dict) else body
    for name, there in found.references.get(resource, {}).items():
        if isinstance(form.get(name), str):
            form[name] = found.of(there)
