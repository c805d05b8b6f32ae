# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of a service are told, however it reaches them: plain variables, secrets, files of secrets.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Everything here bears any input: what has the wrong shape counts as absent.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._secret_templates import template_parts
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._secret_environment import secret_environment

_FILE = re.compile(r"(?:__?FILE)$")
# Grafana and others take NAME__FILE.
_CREDENTIAL = re.compile(
    r"(?:^|_)(?:PASS|PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|SECRET_KEY_BASE|TOKEN|CREDENTIALS?|REQUIREPASS|ROOT_TOKEN_ID|"
    r"(?:API|APP|APPLICATION|SECRET|PRIVATE|ACCESS|SIGNING|ENCRYPTION|MASTER|SERVICE|ROLE|ACCOUNT|AUTH|LICENSE|JWT|SESSION|COOKIE)_?KEY)$"
)


class Setting(t.NamedTuple):
    """One thing a program is told. A secret that no variable names is told by its own name."""

    name: str  # without _FILE
    key: str  # what declares it
    variable: str = ""  # as it is declared; none for a secret that is just mounted
    text: t.Optional[str] = None  # none where only the secret's value has it
    secret: str = ""
    plain: bool = False  # stands in the open


def settings(stack: model.Mapping, service_name: str, service: model.Mapping) -> t.List[Setting]:
    """Everything that a service is told."""
    secrets = model.sections(stack, "secrets")
    mounted = {model.mount_path(reference): reference["source"] for reference in model.references(service, "secrets")}
    found = [_plain(name, value, mounted, secrets) for name, value in model.pairs(service.get("environment")).items()]
    for variable in secret_environment(stack, service_name):
        text = template_text(secrets.get(variable.secret, {}))
        found.append(Setting(_bare(variable.name), "secret_environment." + variable.name, variable.name, text, variable.secret))
    named = {setting.secret for setting in found}
    for source in sorted(set(mounted.values()) - named):
        found.append(Setting(_variable(source), "secrets." + source, text=template_text(secrets.get(source, {})), secret=source))
    return found


def template_text(secret: model.Mapping) -> t.Optional[str]:
    """The text of a composed secret, each part as if it were a good value; nothing for other secrets."""
    text = secret.get("template")
    if not isinstance(text, str):
        return None
    for index, (name, encoding) in enumerate(template_parts(text)):
        written = "{" + (name if encoding is None else name + ":" + encoding) + "}"
        text = text.replace(written, "q7Zr9Kx2vB4{0}".format(index), 1)
    return text


def holds_credential(name: str) -> bool:
    """Whether a variable (or a secret) of that name is given to be kept: no user name, host or number."""
    return bool(_CREDENTIAL.search(_variable(name)))


def words(value: t.Any) -> t.List[str]:
    """The words of a command line, also of the script that `sh -c` is given, without Compose's escapes."""
    found = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    texts = [item.replace("$$", "$") for item in found if isinstance(item, str)]
    return [word for text in texts for word in text.split()]


def _plain(variable: str, value: t.Any, mounted: t.Dict[str, str], secrets: t.Dict[str, model.Mapping]) -> Setting:
    text = "" if value is None else str(value).replace("$$", "$")
    key = "environment." + variable
    if _bare(variable) == variable or not text.strip():
        return Setting(_bare(variable), key, variable, text, plain=True)
    secret = mounted.get(text, "")
    return Setting(_bare(variable), key, variable, template_text(secrets.get(secret, {})), secret)


def _bare(variable: str) -> str:
    return _FILE.sub("", variable) or variable


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper())
