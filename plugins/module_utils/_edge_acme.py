# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are asked for by ACME: certbot asks, keeps and renews them, as Debian has it do.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import OpenSsl, chain_of, together
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

HOME = "/etc/letsencrypt"
HOOKS = HOME + "/renewal-hooks/deploy"
# certbot renews what ends in .conf.
_RENEWAL, _OFF = HOME + "/renewal", ".portside-off"
_BOOTED = "/run/systemd/system"
_TIMER = "/etc/systemd/system/timers.target.wants/certbot.timer"
# certbot keeps all others of it out: another stack may ask just now, or the timer.
_BUSY = "Another instance of Certbot is already running"
_PATIENCE = 180.0
_INTERVAL = 2.0
_SAID = 600
_PROBLEM = re.compile(r"Domain:\s*(\S+)\s+Type:\s*(\S+)\s+Detail:\s*(.+?)(?=\n\s*\n|\n\s*Domain:|\Z)", re.DOTALL)
_NOISE = re.compile(
    r"Saving debug log|Requesting a cert|Renewing an existing|Ask for help|Some challenges have failed|Hint:|- - -|"
    r"Account registered|Plugins selected|An unexpected error occurred"
)
# The unit is the boot unit's neighbour. certbot must not wait for it: a deploy may hold the stack and wait for certbot.
_HOOK = """\
#!/bin/sh
# For the stack in {directory}: certbot runs it after each renewal, of whatever certificate.
[ "$RENEWED_LINEAGE" = "{home}/live/{certificate}" ] || exit 0
exec systemctl start --no-block "$(systemd-escape --path --template=portside-renewed@.service "{directory}")"
"""

Tls = t.Mapping[str, t.Any]


class Certbot:
    """What certbot has on a host for one stack; ``root`` is where the host's files are."""

    def __init__(self, stack: str, run: Run, fs: FileSystem, clock: t.Optional[Clock] = None, root: str = "") -> None:
        self._stack, self._run, self._fs, self._clock = stack, run, fs, clock
        self._root, self._openssl = root, OpenSsl(run)

    def found(self, tls: Tls) -> t.Optional[bytes]:
        """Key and chain of the certificate as it is now."""
        home = "{0}{1}/live/{2}".format(self._root, HOME, tls["certificate"])
        return self._pair(home + "/privkey.pem", home + "/fullchain.pem")

    def why_not(self, tls: Tls, pem: t.Optional[bytes], now: float) -> str:
        """Why another certificate is to be asked for; empty when this one is good."""
        if pem is None:
            return "there is none yet"
        leaf = self._openssl.look(pem)
        lacking = leaf.lacks(tls["names"])
        if lacking:
            return "it is not for {0}".format(", ".join(lacking))
        beyond = sorted(leaf.names.difference(tls["names"]))
        if beyond:
            # A name that does not lead here any more would be the end of every renewal.
            return "it is still for {0}".format(", ".join(beyond))
        # certbot renews with a third of its time left.
        late = leaf.until - now < (leaf.until - leaf.since) / 10
        return ("it has ended" if leaf.until < now else "it ends soon and was not renewed") if late else ""

    def serves(self, tls: Tls, pem: t.Optional[bytes], now: float) -> bool:
        """Whether a certificate counts and has all names, whatever else there is to say of it."""
        leaf = self._openssl.look(pem) if pem is not None else None
        return leaf is not None and not leaf.lacks(tls["names"]) and now < leaf.until

    def spare(self, tls: Tls, now: float, *others: t.Optional[bytes]) -> t.Optional[bytes]:
        """The newest that serves, of those that certbot keeps, and of others."""
        home = "{0}{1}/archive/{2}".format(self._root, HOME, tls["certificate"])
        names = self._fs.listdir(home) if self._fs.lstat(home) else []
        numbers = sorted((int(one[9:-4]) for one in names if re.fullmatch(r"fullchain[0-9]+\.pem", one)), reverse=True)
        paths = [["{0}/{1}{2}.pem".format(home, kind, number) for kind in ("privkey", "fullchain")] for number in numbers]
        return next((pem for pem in (*others, *(self._pair(*two) for two in paths)) if self.serves(tls, pem, now)), None)

    def issue(self, tls: Tls, webroot: str) -> None:
        """Have a certificate for all names; certbot does nothing where it has one that is not due."""
        self._resume(tls["certificate"])
        argv = [
            *("certbot", "certonly", "--non-interactive", "--agree-tos", "--webroot", "--webroot-path", webroot),
            *("--cert-name", tls["certificate"], "--server", tls["directory_url"], "--key-type", "ecdsa"),
            *(("--email", tls["email"], "--no-eff-email") if tls.get("email") else ("--register-unsafely-without-email",)),
            *("--keep-until-expiring", "--renew-with-new-domains"),
            # It runs them here too, where it renews; and this is no moment for them.
            "--no-directory-hooks",
            *(word for name in tls["names"] for word in ("--domain", name)),
        ]
        until = self._clock.monotonic() + _PATIENCE
        while True:
            code, out, err = self._run(argv, None)
            if not code:
                return
            if _BUSY not in out + err or self._clock.monotonic() >= until:
                raise StackError(refusal(self._stack, tls, out + "\n" + err))
            self._clock.sleep(_INTERVAL)

    # -- renewal ---------------------------------------------------------------------------------------------------

    def renewal_lacks(self, tls: Tls, directory: str) -> str:
        """What keeps a renewed certificate from the edge; empty when nothing does, or nothing could."""
        if self._fs.lstat(self._renewal(tls["certificate"]) + _OFF):
            return "its certificate is not renewed any more"
        if not self._fs.lstat(self._root + _BOOTED):
            return ""
        path = self._hook()
        if not self._fs.lstat(path) or self._fs.read(path) != _hook_text(tls, directory):
            return "what is to follow a renewal of its certificate is not there"
        return "" if self._fs.lstat(self._root + _TIMER) else "certbot.timer, which renews its certificate, is not enabled"

    def ensure_renewal(self, tls: Tls, directory: str) -> None:
        """Have certbot renew by its timer, and the edge get what it renewed. Without systemd, later runs see to it."""
        self._resume(tls["certificate"])
        if not self.renewal_lacks(tls, directory):
            return
        path = self._hook()
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        # certbot does not run what ends like this.
        candidate = path + "~"
        if self._fs.lstat(candidate):
            self._fs.unlink(candidate)
        self._fs.write_new(candidate, _hook_text(tls, directory))
        self._fs.chmod(candidate, 0o755)
        self._fs.fsync(candidate)
        self._fs.rename(candidate, path)
        if not self._fs.lstat(self._root + _TIMER):
            code, out, err = self._run(["systemctl", "enable", "--now", "certbot.timer"], None)
            if code:
                raise StackError(
                    "stack {0}: systemctl enable --now certbot.timer failed: {1}. Without it the certificate of the edge "
                    "ends one day. Remedy: mend that on the host, then run again.".format(self._stack, (err or out).strip())
                )

    def renew_only(self, webroot: str, name: str = "") -> None:
        """Have none of the stack's other certificates renewed: who answered their challenges may be gone, and certbot would fail
        for ever. They stay, for a release that is gone back to."""
        for other in self.kept(webroot):
            path = self._renewal(other)
            if other != name and self._fs.lstat(path):
                self._fs.rename(path, path + _OFF)
        if not name and self.has_hook():
            self._fs.unlink(self._hook())

    def _resume(self, name: str) -> None:
        path = self._renewal(name)
        if self._fs.lstat(path + _OFF):
            self._fs.rename(path + _OFF, path)

    # -- removal ---------------------------------------------------------------------------------------------------

    def kept(self, webroot: str) -> t.List[str]:
        """The certificates that certbot has for this stack, whether it renews them or not: whichever release asked for them, the
        challenges were answered from its directory."""
        home, ours = self._root + _RENEWAL, "portside-{0}".format(self._stack)
        entries = self._fs.listdir(home) if self._fs.lstat(home) else []
        own = [entry for entry in entries if entry.startswith(ours) and entry.endswith((".conf", ".conf" + _OFF))]
        answered = re.compile(r"= *{0},?\s*$".format(re.escape(webroot)), re.MULTILINE)
        texts = {entry.partition(".conf")[0]: self._fs.read("{0}/{1}".format(home, entry)).decode("utf-8", "replace") for entry in own}
        return sorted(name for name, text in texts.items() if answered.search(text))

    def has_hook(self) -> bool:
        return bool(self._fs.lstat(self._hook()))

    def forget(self, names: t.Iterable[str]) -> None:
        """Have nothing renewed any more. The account stays: others may use it."""
        if self.has_hook():
            self._fs.unlink(self._hook())
        for name in names:
            self._resume(name)
            code, out, err = self._run(["certbot", "delete", "--non-interactive", "--cert-name", name], None)
            if code:
                raise StackError(
                    "stack {0}: certbot could not delete the certificate {1}: {2}. Remedy: mend that, then run the same "
                    "again.".format(self._stack, name, _words(out + "\n" + err).rstrip("."))
                )

    def _renewal(self, name: str) -> str:
        return "{0}{1}/{2}.conf".format(self._root, _RENEWAL, name)

    def _hook(self) -> str:
        return "{0}{1}/portside-{2}".format(self._root, HOOKS, self._stack)

    def _pair(self, key: str, chain: str) -> t.Optional[bytes]:
        if not self._fs.stat(key) or not self._fs.stat(chain):
            return None
        return together(self._fs.read(key), chain_of(self._fs.read(chain)))


def refusal(stack: str, tls: Tls, output: str) -> str:
    """Why there is no certificate, by name, and what to do about it."""
    problems = _PROBLEM.findall(output)
    lines = ["stack {0}: {1} issued no certificate for {2}:".format(stack, tls["directory_url"], ", ".join(tls["names"]))]
    for name, kind, detail in problems:
        lines.append("  {0}: {1}: {2}".format(name, kind.rpartition(":")[2], " ".join(detail.split())[:_SAID]))
    if not problems:
        lines.append("  " + _words(output))
    remedies = [words for pattern, words in _REMEDIES if re.search(pattern, output, re.IGNORECASE)]
    lines.append("Remedy: {0}. certbot's own words are in /var/log/letsencrypt/letsencrypt.log.".format("; ".join(remedies or [_ANY])))
    return "\n".join(lines)


_REMEDIES = (
    (r"Type:\s*\S*dns|NXDOMAIN|no valid A|no such host", "have the name's DNS records lead to this host"),
    (
        r"Type:\s*\S*(?:connection|unauthorized|tls)",
        "see that port 80 of this host is reachable from outside, by IPv4 and IPv6 as its DNS records say, and that the name "
        "leads here and not to another server or proxy",
    ),
    (r"rate.?limit|too many (?:certificates|failed|registrations|new orders)", "wait as told; until then, edge.tls.staging: true"),
    (r"Type:\s*\S*caa|\bCAA\b", "have the CAA record of the name allow this authority"),
    (r"Another instance", "see what certbot does on the host, and run again"),
    (r"Max retries exceeded|NewConnectionError|SSLError|Name or service not known", "see that this host reaches the ACME server"),
)
_ANY = "correct what it says; to try without its limits, edge.tls.staging: true"


def _words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip() and not _NOISE.search(line)]
    return " ".join(lines)[:_SAID] or "it did not say why"


def _hook_text(tls: Tls, directory: str) -> bytes:
    return _HOOK.format(directory=directory, home=HOME, certificate=tls["certificate"]).encode("utf-8")
