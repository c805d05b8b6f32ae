# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules that act through Docker's command line run it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run, environment
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_REMEDIES = {
    "nft": "install Debian's package nftables",
    "certbot": "install Debian's package certbot",
    "openssl": "install Debian's package openssl",
}
_DOCKER = "install Docker with its Compose plugin, for example with the role portside.stack.docker"


def detached(module: t.Any, variables: t.MutableMapping[str, str], socket: str) -> Run:
    """What runs commands for a module: each in a session of its own, so that an interrupt lets it come to its end.

    ``variables`` are the process's own environment, and are cleared of what would choose another project or engine.
    """
    clean = environment(variables, socket)
    variables.clear()
    variables.update(clean)

    def run(argv: t.List[str], data: t.Optional[str]) -> t.Tuple[int, str, str]:
        program = module.get_bin_path(argv[0])
        if not program:
            raise StackError(
                "there is no program {0} on the host. Remedy: {1}.".format(argv[0], _REMEDIES.get(argv[0], _DOCKER))
            )
        command = ["setsid", "--wait", program, *argv[1:]]
        try:
            # Handled there, it would end the module, from whichever thread this is.
            return module.run_command(command, data=data or "", errors="replace", handle_exceptions=False)
        except OSError as error:
            raise StackError(
                "{0} could not be started on the host: {1}. Remedy: mend that, then run again.".format(
                    program, error.strerror
                )
            ) from error

    return run
