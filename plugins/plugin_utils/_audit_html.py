# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an audit as a page: one file, without anything from elsewhere, for screens and paper.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import html
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._audit_reachable import ports_of
from ansible_collections.portside.stack.plugins.plugin_utils._audit_style import STYLE
from ansible_collections.portside.stack.plugins.plugin_utils._audit_text import plain, route_words

Mapping = t.Mapping[str, t.Any]

# What no audit of this kind sees, told on every page.
LIMITS = (
    "It is what there was at that moment: nothing watches the host from now on.",
    "What is reachable was tried from one machine. What a provider's firewall lets in from elsewhere, others may reach.",
    "Over UDP no answer proves nothing. UDP ports that the kernel picked for clients are not listed.",
    "Secrets are told by their names and by logins in URLs, no value was read out. One in a variable of another name, in a file or in an image was not found.",
    "Rules of ufw, firewalld and the like were not read: what they keep in shows where ports are tried from outside.",
    "Passwords were not tried, programs not looked up in lists of weaknesses, and TLS not examined.",
    "Of proxies other than nginx and cloudflared, such as Traefik, Caddy or Apache, no route was read.",
)
_TAGS = {"digest": "by digest", "tag": "by tag", "floating": "floating"}


def esc(text: t.Any) -> str:
    """A text as text, wherever in a page it stands."""
    return html.escape(plain(text), quote=True)


def page(report: Mapping) -> str:
    """The page of one host."""
    sections = [
        ("findings", "Findings", _findings(report["findings"])),
        ("reachable", "Reachable", _reachable(report)),
        ("containers", "Containers", _containers(report["containers"])),
        ("routes", "Routes", _routes(report["routes"])),
        ("waived", "Waived", _waived(report["waived"])),
        ("not-seen", "Not seen", _list(report["not_seen"], "Everything that was looked for was seen.")),
        ("limits", "What an audit does not see", _list(LIMITS, "")),
    ]
    contents = "".join('<li><a href="#{0}">{1}</a></li>'.format(key, title) for key, title, _body in sections)
    about = "Docker Engine {0}".format(report["engine"]) if report["engine"] else "No Docker Engine answered"
    where = ", ".join(report["addresses"]) or "no address of its own seen"
    body = '<header><h1>Audit of {0}</h1><p>{1} · {2} · {3}</p>{4}</header><nav aria-label="Contents"><ol>{5}</ol></nav><main>{6}</main>'.format(
        esc(report["host"]),
        esc(report["when"]),
        esc(about),
        esc(where),
        _summary(report["summary"]),
        contents,
        "".join('<section id="{0}"><h2>{1}</h2>{2}</section>'.format(*one) for one in sections),
    )
    return _document("Audit of {0}, {1}".format(report["host"], report["when"]), body)


def index_page(entries: t.Sequence[Mapping]) -> str:
    """Leads to the pages of several hosts, those with the worst first."""
    lines = [
        ['<a href="{0}">{1}</a>'.format(esc(one["file"]), esc(one["report"]["host"])), esc(one["report"]["when"])]
        + [str(one["report"]["summary"][severity]) for severity in ("high", "medium", "low")]
        for one in sorted(entries, key=lambda one: [-one["report"]["summary"][severity] for severity in ("high", "medium", "low")])
    ]
    when = max((one["report"]["when"] for one in entries), default="")
    body = "<header><h1>Audit of {0} hosts</h1><p>{1}</p></header><main>{2}</main>".format(
        len(entries), esc(when), _table(("Host", "When", "High", "Medium", "Low"), lines)
    )
    return _document("Audit of {0} hosts, {1}".format(len(entries), when), body)


def _document(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">'
        '<meta name="color-scheme" content="light dark"><title>{0}</title><style>{1}</style></head><body>{2}</body></html>\n'
    ).format(esc(title), STYLE, body)


def _badge(severity: str) -> str:
    return '<span class="badge {0}">{1}</span>'.format(esc(severity), esc(severity))


def _summary(summary: Mapping) -> str:
    return '<p class="summary">{0}</p>'.format(
        "".join('<span class="count {0}"><b>{1}</b> {0}</span>'.format(severity, int(summary[severity])) for severity in ("high", "medium", "low"))
    )


def _findings(findings: t.Sequence[Mapping]) -> str:
    if not findings:
        return "<p>Nothing was found. What could not be looked at is told below.</p>"
    shape = (
        '<article class="finding {0}"><h3>{1} {2}</h3><p class="about"><code>{3}</code> · {4}</p>'
        "<dl><dt>Why</dt><dd>{5}</dd><dt>Do</dt><dd>{6}</dd></dl></article>"
    )
    return "".join(
        shape.format(esc(one["severity"]), _badge(one["severity"]), *(esc(one[key]) for key in ("what", "rule", "subject", "why", "remedy")))
        for one in findings
    )


def _reachable(report: Mapping) -> str:
    lines = [
        [
            _badge(one["rank"]),
            esc(ports_of(one)),
            esc(", ".join(one["addresses"])),
            esc(one["owner"]),
            esc(one["service"] or "–"),
            esc(one["seen"]),
            esc(one["note"] or one["why"]),
        ]
        for one in report["reachable"]
    ]
    if not lines:
        return "<p>Nothing listens on more than loopback.</p>"
    head = ("Rank", "Port", "Addresses", "Who", "What", "From the controller", "Note")
    about = "<p>Everything that is bound to more than the host's loopback, ranked. Listed is what is meant for others, or kept from them.</p>"
    return about + _table(head, lines)


def _containers(containers: t.Sequence[Mapping]) -> str:
    lines = [
        [
            esc(one["name"]),
            esc(one["image"]),
            esc(_TAGS.get(one["tag"], one["tag"])),
            esc(one["status"]) + (", " + esc(one["health"]) if one["health"] != "none" else ""),
            esc("{0} MiB".format(one["memory"] // (1 << 20)) if one["memory"] else "none"),
            esc(", ".join((["privileged"] if one["privileged"] else []) + list(one["sockets"])) or "–"),
            esc(", ".join(secret["name"] for secret in one["secrets"]) or "–"),
        ]
        for one in containers
    ]
    return _table(("Name", "Image", "Named", "State", "Memory limit", "Power over the host", "Secrets visible"), lines) if lines else "<p>There are none.</p>"


def _routes(routes: t.Sequence[Mapping]) -> str:
    if not routes:
        return "<p>No configuration of nginx or cloudflared was found.</p>"
    return "".join("<h3>{0}</h3><p>{1}</p>{2}".format(esc(one["place"]), esc(route_words(one)), _list(one["rules"], "")) for one in routes)


def _waived(some: t.Sequence[Mapping]) -> str:
    return _list(["{0} Reason: {1}".format(one["what"], one["reason"]) for one in some], "Nothing.")


def _list(lines: t.Iterable[str], none: str) -> str:
    items = "".join("<li>{0}</li>".format(esc(line)) for line in lines)
    return "<ul>{0}</ul>".format(items) if items else "<p>{0}</p>".format(esc(none)) if none else ""


def _table(head: t.Sequence[str], lines: t.Sequence[t.Sequence[str]]) -> str:
    """Of cells that are escaped."""
    top = "".join('<th scope="col">{0}</th>'.format(esc(one)) for one in head)
    body = "".join("<tr>{0}</tr>".format("".join("<td>{0}</td>".format(cell) for cell in line)) for line in lines)
    return '<div class="wide"><table><thead><tr>{0}</tr></thead><tbody>{1}</tbody></table></div>'.format(top, body)
