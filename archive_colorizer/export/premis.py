"""Export a manifest as PREMIS 3: sources, results, and the software and model that made them.

The schema requires objects, then events, then agents, so the manifest is read three times
rather than held in memory.  The element names and their order are those of the schema of the
Library of Congress (premis-v3-0.xsd, January 18, 2016).
"""

import mimetypes
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, TypeAlias

from archive_colorizer.errors import SourceError
from archive_colorizer.manifest.reader import ManifestEntry, ManifestReader
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.records.text import escape_unprintable

_PREMIS: Final = "http://www.loc.gov/premis/v3"
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_SOFTWARE: Final = "archive-colorizer"
_SOURCE: Final = "source name"
_RESULT: Final = "result path"
_EVENT: Final = "archive-colorizer event"
_AGENT: Final = "archive-colorizer agent"

_Content: TypeAlias = dict[str, Any]
"""The children of an element by name: text, a dict, a tuple for an identifier (its type, its value,
and a role), a list to repeat the element, or None to leave it out."""


def write_premis(manifest: ManifestReader, stream: BinaryIO) -> None:
    """Write PREMIS 3 XML with an object for each source and result, and an event for each attempt.

    Raises SourceError for an empty manifest, since PREMIS requires an object.
    """
    from lxml import etree

    if not len(manifest):
        raise SourceError(f"{manifest.path} accounts for no file, and PREMIS needs at least one")
    with etree.xmlfile(stream, encoding="utf-8") as document:
        document.write_declaration()
        names = {None: _PREMIS, "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
        with document.element(f"{{{_PREMIS}}}premis", {"version": "3.0"}, nsmap=names):
            for part in _iter_elements(manifest):
                document.write(part)
                document.write("\n")


def _iter_elements(manifest: ManifestReader) -> Iterator[Any]:
    for entry in manifest.iterate_newest():
        yield _build_object(_describe_source(entry.outcome))
    for entry in manifest.iterate_done():
        yield _build_object(_describe_result(entry))
    agents: dict[str, _Content] = {}
    for entry in _iter_attempts(manifest):
        agents |= _describe_agents(entry) | agents
        yield _build_element("event", _describe_event(entry))
    for agent in agents.values():
        yield _build_element("agent", agent)


def _iter_attempts(manifest: ManifestReader) -> Iterator[ManifestEntry]:
    """Yield every result and every failure; skipped files were never tried."""
    yield from manifest.iterate_done()
    for entry in manifest.iterate_newest():
        if entry.outcome.state is State.FAILED:
            yield entry


def _describe_source(outcome: Outcome) -> _Content:
    size = outcome.source_stamp.size if outcome.source_stamp else None
    return {
        "objectIdentifier": (_SOURCE, outcome.name),
        "objectCharacteristics": _describe_file(outcome.name, outcome.source_sha256, size),
        "originalName": outcome.name.rpartition("/")[2],
    }


def _describe_result(entry: ManifestEntry) -> _Content:
    outcome, target = entry.outcome, entry.outcome.target or ""
    size = outcome.target_stamp.size if outcome.target_stamp else None
    application = {
        "creatingApplicationName": _SOFTWARE,
        "creatingApplicationVersion": (entry.run and entry.run.version) or None,
    }
    return {
        "objectIdentifier": (_RESULT, target),
        "objectCharacteristics": {
            **_describe_file(target, outcome.target_sha256, size),
            "creatingApplication": application,
        },
        "relationship": {
            "relationshipType": "derivation",
            "relationshipSubType": "has source",
            "relatedObjectIdentifier": (_SOURCE, outcome.name),
            "relatedEventIdentifier": (_EVENT, _name_event(entry)),
        },
    }


def _describe_file(name: str, sha256: str | None, size: int | None) -> _Content:
    fixity = {
        "messageDigestAlgorithm": "SHA-256",
        "messageDigest": sha256,
        "messageDigestOriginator": _SOFTWARE,
    }
    # Of a whole path, mimetypes would parse the beginning as that of an address.
    kind, _ = mimetypes.guess_type(name.rpartition("/")[2], strict=False)
    mime = kind or "application/octet-stream"
    return {
        "fixity": fixity if sha256 else None,
        "size": None if size is None else str(size),
        "format": {"formatDesignation": {"formatName": mime}, "formatNote": "from the file's name"},
    }


def _describe_event(entry: ManifestEntry) -> _Content:
    outcome = entry.outcome
    is_done = outcome.state is State.DONE
    notes = filter(None, (outcome.message, *outcome.warnings))
    objects = [(_SOURCE, outcome.name, "source"), (_RESULT, outcome.target or "", "outcome")]
    agents = zip(_describe_agents(entry), ("executing program", "model"), strict=False)
    return {
        "eventIdentifier": (_EVENT, _name_event(entry)),
        "eventType": "derivation",
        "eventDateTime": _get_time(entry),
        "eventDetailInformation": {"eventDetail": _describe_method(entry)},
        "eventOutcomeInformation": {
            "eventOutcome": "success" if is_done else "failure",
            "eventOutcomeDetail": [{"eventOutcomeDetailNote": note} for note in notes],
        },
        "linkingAgentIdentifier": [(_AGENT, agent, role) for agent, role in agents],
        "linkingObjectIdentifier": objects[: 1 + is_done],
    }


def _name_event(entry: ManifestEntry) -> str:
    run = entry.run.run if entry.run else "unknown run"
    return f"{run}/{entry.outcome.key}/{entry.outcome.state}"


def _get_time(entry: ManifestEntry) -> str:
    """Get the time when the result was written, or for a failure when its run began."""
    stamp = entry.outcome.target_stamp
    if entry.outcome.state is State.DONE and stamp is not None:
        seconds = stamp.mtime_ns // 10**9
        if 0 <= seconds < 1 << 36:
            return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    return entry.run.started if entry.run and entry.run.started else "unknown"


def _describe_method(entry: ManifestEntry) -> str:
    """Describe the settings and model, so that the event needs no manifest."""
    outcome, run = entry.outcome, entry.run
    sharpened = ", sharpened" if entry.recipe.get("sharpen") else ""
    facts = [
        f"colorization: the color is predicted by a model, the luma is the source's{sharpened}",
        f"model {run.model if run else 'unknown'} sha256 {outcome.model_sha256 or 'unknown'}",
        f"settings digest {outcome.settings or 'unknown'}",
        f"source sha256 {outcome.source_sha256 or 'unknown'}",
    ]
    if run:
        facts.append("settings " + ", ".join(f"{k}={v}" for k, v in sorted(entry.recipe.items())))
    return "; ".join(facts)


def _describe_agents(entry: ManifestEntry) -> dict[str, _Content]:
    """Describe the software and, where it is known, the model, by their identifiers."""
    run, sha256 = entry.run, entry.outcome.model_sha256
    version = run.version if run else ""
    software = f"{_SOFTWARE} {version}".strip()
    agents = {software: _describe_agent(software, _SOFTWARE, version, "")}
    if sha256:
        name = run.model if run and run.model else "model"
        licence = f"licence: {run.model_licence}" if run and run.model_licence else ""
        model = f"model sha256 {sha256}"
        agents[model] = _describe_agent(model, name, "", licence)
    return agents


def _describe_agent(identifier: str, name: str, version: str, note: str) -> _Content:
    return {
        "agentIdentifier": (_AGENT, identifier),
        "agentName": name,
        "agentType": "software",
        "agentVersion": version or None,
        "agentNote": note or None,
    }


def _build_object(content: _Content) -> Any:
    element = _build_element("object", content)
    element.set(_XSI_TYPE, "file")
    return element


def _build_element(name: str, content: Any) -> Any:
    """Build an element from its `_Content`, or from a value in one."""
    from lxml import etree

    element = etree.Element(f"{{{_PREMIS}}}{name}", nsmap={None: _PREMIS})
    if isinstance(content, str):
        # Escape characters that XML cannot hold or that change the direction of text.
        element.text = escape_unprintable(content)
        return element
    if isinstance(content, tuple):
        parts = (f"{name}Type", f"{name}Value", f"{name.removesuffix('Identifier')}Role")
        content = dict(zip(parts, content, strict=False))
    for child, value in content.items():
        for part in value if isinstance(value, list) else [value]:
            if part is not None:
                element.append(_build_element(child, part))
    return element
