"""A manifest as PREMIS 3: what was made from what, when, by which software and model.

Objects, then events, then agents, as the schema wants them; so the manifest is read three
times, and never held.  The element names and their order are those of the schema of the
Library of Congress (premis-v3-0.xsd, January 18, 2016).
"""

import mimetypes
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, NamedTuple

from archive_colorizer.errors import SourceError
from archive_colorizer.export.table import shown
from archive_colorizer.manifest.reader import Account, Entry
from archive_colorizer.records.outcomes import Outcome, State

_PREMIS: Final = "http://www.loc.gov/premis/v3"
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_SOFTWARE: Final = "archive-colorizer"
_SOURCE: Final = "source name"
_RESULT: Final = "result path"
_EVENT: Final = "archive-colorizer event"
_AGENT: Final = "archive-colorizer agent"


class _Agent(NamedTuple):
    identifier: str
    name: str
    version: str = ""
    note: str = ""


def write_premis(account: Account, stream: BinaryIO) -> None:
    """PREMIS 3 XML: a file object for each source and each result, with fixity, and a
    derivation event for each result and each failure.

    Raises SourceError for a manifest that accounts for nothing, since PREMIS wants an object.
    """
    from lxml import etree

    if not len(account):
        raise SourceError(f"{account.path} accounts for no file; PREMIS needs one at least")
    with etree.xmlfile(stream, encoding="utf-8") as document:
        document.write_declaration()
        names = {None: _PREMIS, "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
        with document.element(_q("premis"), {"version": "3.0"}, nsmap=names):
            for part in _parts(account):
                document.write(part)
                document.write("\n")


def _parts(account: Account) -> Iterator[Any]:
    for entry in account.newest():
        yield _source(entry.outcome)
    for entry in account.done():
        yield _result(entry)
    agents: dict[_Agent, None] = {}
    for entry in _attempts(account):
        agents.update(dict.fromkeys(_agents(entry)))
        yield _event(entry)
    known: set[str] = set()
    for agent in agents:
        if agent.identifier not in known:
            yield _agent(agent)
        known.add(agent.identifier)


def _attempts(account: Account) -> Iterator[Entry]:
    """Every result, and every failure; what was skipped was never tried."""
    yield from account.done()
    for entry in account.newest():
        if entry.outcome.state is State.FAILED:
            yield entry


def _source(outcome: Outcome) -> Any:
    size = outcome.source_stamp.size if outcome.source_stamp else None
    made = _object(_SOURCE, outcome.name, outcome.source_sha256, size)
    _add(made, "originalName", outcome.name.rpartition("/")[2])
    return made


def _result(entry: Entry) -> Any:
    outcome = entry.outcome
    size = outcome.target_stamp.size if outcome.target_stamp else None
    target = outcome.target or ""
    made = _object(_RESULT, target, outcome.target_sha256, size)
    application = _add(made.find(_q("objectCharacteristics")), "creatingApplication")
    _add(application, "creatingApplicationName", _SOFTWARE)
    if entry.run and entry.run.version:
        _add(application, "creatingApplicationVersion", entry.run.version)
    relation = _add(made, "relationship")
    _add(relation, "relationshipType", "derivation")
    _add(relation, "relationshipSubType", "has source")
    _identify(_add(relation, "relatedObjectIdentifier"), _SOURCE, outcome.name)
    _identify(_add(relation, "relatedEventIdentifier"), _EVENT, _event_name(entry))
    return made


def _object(kind: str, name: str, sha256: str | None, size: int | None) -> Any:
    made = _element("object")
    made.set(_XSI_TYPE, "file")
    _identify(_add(made, "objectIdentifier"), kind, name)
    traits = _add(made, "objectCharacteristics")
    if sha256:
        fixity = _add(traits, "fixity")
        _add(fixity, "messageDigestAlgorithm", "SHA-256")
        _add(fixity, "messageDigest", sha256)
        _add(fixity, "messageDigestOriginator", _SOFTWARE)
    if size is not None:
        _add(traits, "size", str(size))
    form = _add(traits, "format")
    mime = mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
    _add(_add(form, "formatDesignation"), "formatName", mime)
    _add(form, "formatNote", "from the file's name")
    return made


def _event(entry: Entry) -> Any:
    outcome = entry.outcome
    made = _element("event")
    _identify(_add(made, "eventIdentifier"), _EVENT, _event_name(entry))
    _add(made, "eventType", "derivation")
    _add(made, "eventDateTime", _moment(entry))
    _add(_add(made, "eventDetailInformation"), "eventDetail", _detail(entry))
    done = outcome.state is State.DONE
    result = _add(made, "eventOutcomeInformation")
    _add(result, "eventOutcome", "success" if done else "failure")
    for note in (outcome.message, *outcome.warnings):
        if note:
            _add(_add(result, "eventOutcomeDetail"), "eventOutcomeDetailNote", note)
    for agent, role in zip(_agents(entry), ("executing program", "model"), strict=False):
        link = _add(made, "linkingAgentIdentifier")
        _identify(link, _AGENT, agent.identifier)
        _add(link, "linkingAgentRole", role)
    _link(made, _SOURCE, outcome.name, "source")
    if done:
        _link(made, _RESULT, outcome.target or "", "outcome")
    return made


def _link(event: Any, kind: str, name: str, role: str) -> None:
    link = _add(event, "linkingObjectIdentifier")
    _identify(link, kind, name)
    _add(link, "linkingObjectRole", role)


def _event_name(entry: Entry) -> str:
    run = entry.run.run if entry.run else "unknown run"
    return f"{run}/{entry.outcome.key}/{entry.outcome.state}"


def _moment(entry: Entry) -> str:
    """When the result was written; of a failure, when its run began."""
    stamp = entry.outcome.target_stamp
    if entry.outcome.state is State.DONE and stamp is not None:
        seconds = stamp.mtime_ns // 10**9
        if 0 <= seconds < 1 << 36:
            return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    return entry.run.started if entry.run and entry.run.started else "unknown"


def _detail(entry: Entry) -> str:
    """By what means, so that the event can be read without the manifest."""
    outcome, run = entry.outcome, entry.run
    sharpened = ", sharpened" if entry.recipe.get("sharpen") else ""
    said = [
        f"colorization: the color is predicted by a model, the luma is the source's{sharpened}",
        f"model {run.model if run else 'unknown'} sha256 {outcome.model_sha256 or 'unknown'}",
        f"settings digest {outcome.settings or 'unknown'}",
        f"source sha256 {outcome.source_sha256 or 'unknown'}",
    ]
    if run:
        said.append("settings " + ", ".join(f"{k}={v}" for k, v in sorted(entry.recipe.items())))
    return "; ".join(said)


def _agents(entry: Entry) -> list[_Agent]:
    """The software and the model."""
    run, sha256 = entry.run, entry.outcome.model_sha256
    version = run.version if run else ""
    agents = [_Agent(f"{_SOFTWARE} {version}".strip(), _SOFTWARE, version)]
    if sha256:
        name = run.model if run and run.model else "model"
        licence = f"licence: {run.model_licence}" if run and run.model_licence else ""
        agents.append(_Agent(f"model sha256 {sha256}", name, note=licence))
    return agents


def _agent(agent: _Agent) -> Any:
    made = _element("agent")
    _identify(_add(made, "agentIdentifier"), _AGENT, agent.identifier)
    _add(made, "agentName", agent.name)
    _add(made, "agentType", "software")
    if agent.version:
        _add(made, "agentVersion", agent.version)
    if agent.note:
        _add(made, "agentNote", agent.note)
    return made


def _q(name: str) -> str:
    return f"{{{_PREMIS}}}{name}"


def _element(name: str) -> Any:
    from lxml import etree

    return etree.Element(_q(name), nsmap={None: _PREMIS})


def _add(parent: Any, name: str, text: str | None = None) -> Any:
    from lxml import etree

    made = etree.SubElement(parent, _q(name))
    # What XML cannot hold, and what turns the direction of writing, stands as an escape.
    made.text = None if text is None else shown(text)
    return made


def _identify(parent: Any, kind: str, value: str) -> None:
    """The pair of type and value that every identifier of PREMIS is, named after its parent."""
    name = parent.tag.rpartition("}")[2]
    _add(parent, f"{name}Type", kind)
    _add(parent, f"{name}Value", value)
