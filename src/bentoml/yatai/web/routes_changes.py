"""Forms that change bundles and aliases."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.routing import Route

from bentoml.repository.base import BundleRecord
from bentoml.yatai.access import WRITE, Caller

from .session import flash
from .views import Views

Fields = dict[str, str]


def change_routes(views: Views) -> list[Route]:
    """Each form leads back to the page that shows the result."""
    bundles, aliases = views.state.registry.bundles, views.state.registry.aliases

    def record_of(request: Request) -> BundleRecord:
        return bundles.find(request.path_params["name"], request.path_params["version"])

    def delete(request: Request, caller: Caller, _fields: Fields) -> str:
        record = record_of(request)
        bundles.delete(caller, record.name, record.version)
        days = bundles.restore_period.days
        flash(request, f"{record.tag} is deleted. It can be restored for {days} days, under Deleted.")
        return f"/repository/{quote(record.name)}" if bundles.names(record.name)[1] else "/repository"

    def restore(request: Request, caller: Caller, _fields: Fields) -> str:
        values = request.path_params
        record = bundles.restore(caller, values["name"], values["version"])
        flash(request, f"{record.tag} is back.")
        return path_of(record)

    def labels(request: Request, caller: Caller, fields: Fields) -> str:
        record = record_of(request)
        key, value, removed = (fields.get(part, "").strip() for part in ("key", "value", "remove"))
        bundles.update_labels(caller, record, {key: value} if key else {}, [removed] if removed else [])
        flash(request, f"Label {removed} removed." if removed else f"Label {key}={value} set.")
        return path_of(record)

    def note(request: Request, caller: Caller, fields: Fields) -> str:
        record = record_of(request)
        bundles.set_note(caller, record, fields.get("note", "").replace("\r\n", "\n").strip())
        flash(request, "Note saved.")
        return path_of(record)

    def move(request: Request, caller: Caller, fields: Fields) -> str:
        name, alias = request.path_params["name"], fields.get("alias", "").strip()
        moved = aliases.move(caller, name, alias, fields.get("version", ""), fields.get("expected"))
        flash(request, f"{name}@{alias} now points to {moved.version}.")
        return fields.get("back") or f"/repository/{quote(name)}"

    def roll_back(request: Request, caller: Caller, fields: Fields) -> str:
        name, alias = request.path_params["name"], fields.get("alias", "")
        moved = aliases.roll_back(caller, name, alias)
        flash(request, f"{name}@{alias} is back at {moved.version}.")
        return f"/repository/{quote(name)}"

    def remove(request: Request, caller: Caller, fields: Fields) -> str:
        name, alias = request.path_params["name"], fields.get("alias", "")
        aliases.remove(caller, name, alias)
        flash(request, f"{name}@{alias} is removed.")
        return f"/repository/{quote(name)}"

    one = "/repository/{name}/{version}"
    return [
        views.form("/repository/{name}/aliases/move", move, WRITE),
        views.form("/repository/{name}/aliases/rollback", roll_back, WRITE),
        views.form("/repository/{name}/aliases/remove", remove, WRITE),
        views.form(f"{one}/delete", delete, WRITE),
        views.form(f"{one}/restore", restore, WRITE),
        views.form(f"{one}/labels", labels, WRITE),
        views.form(f"{one}/note", note, WRITE),
    ]


def path_of(record: BundleRecord) -> str:
    """The page of a bundle."""
    return f"/repository/{quote(record.name)}/{quote(record.version, '')}"
