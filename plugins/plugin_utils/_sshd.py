# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of sshd: their text, and whom they would lock out.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from fnmatch import fnmatchcase


def _text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(_text(item) for item in value)
    return str(value)


def sshd_config(options):
    """The text of a drop-in of sshd_config."""
    return "".join("%s %s\n" % (key, _text(options[key])) for key in sorted(options, key=str))


def _named(patterns, user):
    """Whether a list as of AllowUsers names the user. What follows an @ is about the address, which is not known here."""
    named = False
    for pattern in patterns:
        negated, name = pattern.startswith("!"), pattern.lstrip("!").partition("@")[0]
        if fnmatchcase(user, name):
            if negated:
                return False
            named = True
    return named


def sshd_lockouts(options, operator):
    """Why the operator {user, password, keys} could not come back, one sentence each. What only sshd can know is not judged here."""
    given = {str(key).lower(): _text(value) for key, value in options.items()}
    user, password = str(operator["user"]), bool(operator["password"])
    problems = []

    def refuse(key, why, remedy):
        problems.append("%s %s: %s. Remedy: %s." % (key, given[key.lower()], why, remedy))

    root_login = given.get("permitrootlogin")
    if user == "root" and root_login in ("no", "forced-commands-only"):
        refuse("PermitRootLogin", "this connection is root's", "connect as another user, for example the one of host_deploy_user, or allow prohibit-password")
    elif user == "root" and password and root_login in ("prohibit-password", "without-password"):
        refuse("PermitRootLogin", "this connection is root's, by password", "give root a key and connect with it")
    if password and given.get("passwordauthentication") == "no":
        refuse("PasswordAuthentication", "this connection is made by password", "give %s a key and connect with it" % user)
    if not password and given.get("pubkeyauthentication") == "no":
        refuse("PubkeyAuthentication", "this connection is made by key", "leave it on")
    other_keys = {"trustedusercakeys", "authorizedkeyscommand", "authorizedkeysfile"} & set(given)
    if not password and not operator["keys"] and not other_keys and given.get("passwordauthentication") == "no":
        refuse(
            "PasswordAuthentication",
            "~%s/.ssh/authorized_keys holds no key" % user,
            "put a key there, or name the other source of keys (TrustedUserCAKeys, AuthorizedKeysCommand, AuthorizedKeysFile) in host_ssh_options",
        )
    if "allowusers" in given and not _named(given["allowusers"].split(), user):
        refuse("AllowUsers", "does not name %s, who is connected now" % user, "add %s" % user)
    if "denyusers" in given and _named(given["denyusers"].split(), user):
        refuse("DenyUsers", "names %s, who is connected now" % user, "take %s out" % user)
    return problems
