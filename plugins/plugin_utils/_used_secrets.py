# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets a stack needs on its host, and in which files.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._secret_templates import template_parts
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._checks import check_secrets
from ansible_collections.portside.stack.plugins.plugin_utils._edge import certificate_keys, with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._entry_wrapper import Facts, visible_variables, with_entry_wrapper
from ansible_collections.portside.stack.plugins.plugin_utils._secret_environment import secret_environment


def used_secrets(stack: model.Mapping) -> t.Set[str]:
    """The secrets of the running services, of the edge and of checks, the logins, and the parts of those that are templates."""
    stack = with_edge(stack)
    used = set(certificate_keys(stack)) | check_secrets(stack)
    used |= {name for name, secret in model.sections(stack, "secrets").items() if "login" in secret}
    for name, service in model.active_services(stack).items():
        used |= {reference["source"] for reference in model.references(service, "secrets")}
        used |= {variable.secret for variable in secret_environment(stack, name)}
    return with_parts(stack, used)


def with_parts(stack: model.Mapping, names: t.Iterable[str]) -> t.Set[str]:
    """These secrets, and what those of them that are templates are composed of."""
    declared = model.sections(stack, "secrets")
    found = set(names)
    templates = [declared.get(name, {}).get("template") for name in found]
    return found.union(*([part for part, _encoding in template_parts(text)] for text in templates if isinstance(text, str)))


def idle_secrets(stack: model.Mapping) -> t.List[str]:
    """The secrets that only the host knows, and that nothing running uses at the moment."""
    generated = {name for name, secret in model.sections(stack, "secrets").items() if "generate" in secret}
    return sorted(generated - used_secrets(stack))


def secret_files_options(stack: model.Mapping, image_facts: Facts = None) -> t.Dict[str, model.Mapping]:
    """The secrets to keep on the host: how each is made, and who reads it.

    ``image_facts`` tell the user of a container whose variables are secrets.
    """
    stack = with_edge(stack)
    declared = model.sections(stack, "secrets")
    files: t.Dict[str, t.Set[t.Tuple[t.Tuple[str, t.Any], ...]]] = {name: set() for name in used_secrets(stack)}
    for service in model.active_services(with_entry_wrapper(stack, image_facts)).values():
        for reference in model.references(service, "secrets"):
            files[reference["source"]].add(tuple(model.variant(reference)._asdict().items()))
    for name in certificate_keys(stack):
        files[name].add(tuple(model.Variant()._asdict().items()))
    for variables in visible_variables(stack).values():
        for variable in variables:
            files[variable.secret].add((*model.Variant()._asdict().items(), ("variable", variable.name)))
    return {name: {**declared.get(name, {}), "files": [dict(reader) for reader in sorted(readers)]} for name, readers in sorted(files.items())}
