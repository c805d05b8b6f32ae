# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that a stack in production is held to. Each finds what breaks it in one service.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A fault names variables and never shows a value, which may be a secret.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _database_servers as servers
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import edge_of, nginx_service
from ansible_collections.portside.stack.plugins.plugin_utils._placeholders import placeholder
from ansible_collections.portside.stack.plugins.plugin_utils._production_fault import Fault, Faults
from ansible_collections.portside.stack.plugins.plugin_utils._production_host_rules import docker_socket, privileged
from ansible_collections.portside.stack.plugins.plugin_utils._settings import Setting, holds_credential, words

Settings = t.List[Setting]

_TRUE = ("1", "true", "yes", "on", "y", "t", "ok")
_MODES = re.compile(r"(?:^|_)(?:NODE_ENV|FLASK_ENV|RAILS_ENV|RACK_ENV|APP_ENV|DJANGO_ENV|ASPNETCORE_ENVIRONMENT)$")
_SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian", "fastapi", "flask", "daphne")
_SIGNS = re.compile(
    r"(?:^|_)(?:SECRET_KEY|SECRET_KEY_BASE|JWT_SECRET|JWT_KEY|JWT_SECRET_KEY|JWT_SIGNING_KEY|SIGNING_KEY|SESSION_SECRET|AUTH_SECRET)$"
    r"|^(?:SECRET|APP_KEY|APP_SECRET|COOKIE_SECRET|NEXTAUTH_SECRET)$"
)
# Keys that another party hands out, as long as it makes them.
_HANDED_OUT = re.compile(r"(?:^|_)(?:AWS|S3|MINIO|STORAGE|B2|R2|SPACES|STRIPE|\w*CAPTCHA|TURNSTILE)_")
_HOSTS = re.compile(r"(?:^|_)(?:ALLOWED|TRUSTED)_HOSTS$")
_ORIGINS = re.compile(r"CORS_\w*ORIGIN|ORIGIN\w*_CORS|(?:^|_)ALLOW(?:ED)?_ORIGINS?$")
_ANY_ORIGIN = re.compile(r"(?:https?://)?\*|\^?(?:https\??://)?\.[*+]\$?|null")
_DATABASES = r"(?:postgres|postgresql|postgis|psql|pgsql|mysql2?|mariadb|mongodb|cockroachdb|timescale(?:db)?|mssql|sqlserver)"
_REDIS = r"(?:rediss?|valkeys?|keydb|dragonfly)"
_URL = r"(?<![A-Za-z:]){0}(?:\+[A-Za-z0-9.+-]+)?://([^\s/?#;]*)([^\s;]*)"
_DATABASE_URL = re.compile(_URL.format(_DATABASES), re.IGNORECASE)
_REDIS_URL = re.compile(_URL.format(_REDIS), re.IGNORECASE)
_ANY_URL_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@:]*:[^/?#\s]+@")
_CONNECTION_PASSWORD = re.compile(r"(?:^|[\s;?&,])(?:password|passwd|pwd)\s*=\s*[^\s;&,]", re.IGNORECASE)
_DATABASE_PASSWORD = re.compile(r"(?:^|_)(?:PG|DB|DATABASE|POSTGRES|POSTGRESQL|MYSQL|MARIADB|MONGO|MONGODB|SQL|DATASOURCE)_?(?:\w*_)?PASS(?:WORD|WD|FILE)?$")
_REDIS_PASSWORD = re.compile(r"(?:^|_)(?:REDIS|REDISCLI|VALKEY|KEYDB|DRAGONFLY|CACHE|BROKER|CELERY)_?(?:\w*_)?(?:PASS(?:WORD|WD)?|AUTH)$")
_PLACE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|/(?:app|config|data|etc|home|mnt|opt|run|secrets|srv|tmp|usr|var|vault)/")
_PUBLIC = re.compile(r"^(?:NEXT_PUBLIC|VITE|REACT_APP|NUXT_PUBLIC|PUBLIC|GATSBY|EXPO_PUBLIC)_|(?:^|_)ALLOW_EMPTY_|_RANDOM_ROOT_PASSWORD$")

_AS_SECRET = "declare it under `secrets`, and name that for the variable under `secret_environment`, or NAME_FILE where the program reads that"


def debug(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """No debug mode: it shows settings, code and data to whoever causes an error.

    Django's deployment checklist (DEBUG, check security.W018), Flask's and Laravel's production notes. Counts:
    DEBUG and *_DEBUG that are true, NODE_ENV and its like that say development, settings modules for
    development, servers that are made for it (runserver, --reload).
    """
    for setting in told:
        text = (setting.text or "").strip().lower()
        if re.search(r"(?:^|_)DEBUG$", setting.name.upper()) and text in _TRUE:
            yield Fault(setting.key, "debug mode is on", 'write "false"')
        elif _MODES.search(setting.name) and text in ("dev", "development", "local", "debug"):
            yield Fault(setting.key, "it asks for development mode", "write production")
        elif setting.name == "DJANGO_SETTINGS_MODULE" and text.rpartition(".")[2] in ("dev", "development", "local", "debug"):
            yield Fault(setting.key, "the settings are those for development", "name those for production")
    for key in ("entrypoint", "command"):
        found = words(service.get(key))
        if "runserver" in found:
            yield Fault(key, "Django's runserver is not made for production", "use gunicorn, uvicorn or another server")
        elif {"--reload", "--debug"} & set(found) and any(word.rpartition("/")[2] in _SERVERS for word in found):
            yield Fault(key, "the server is told to debug or reload", "take --reload and --debug out")


def secret_key(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """Keys that sign sessions and tokens are long and not well-known: who guesses one can be anybody.

    Django's check security.W009 (50 characters, 5 different ones, no `django-insecure-`), RFC 7518 3.2 for HS256
    (256 bits, so 32 characters at the least). Counts: shorter, known and monotonous ones, and lengths to generate.
    """
    for setting in told:
        if not signs(setting.name):
            continue
        length = model.sections(stack, "secrets").get(setting.secret, {}).get("generate")
        if setting.text is not None:
            why = weak_key(setting.name, setting.text) if setting.text.strip() else ""
            if why:
                yield Fault(setting.key, "the key " + why, "declare a secret with {generate: 64} for it")
        elif isinstance(length, int) and length < _least(setting.name):
            yield Fault("secrets." + setting.secret, "the key " + _short(setting.name), "write {generate: 64}")


def allowed_hosts(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """The application answers to names of its own only, else links in its mails can lead anywhere.

    Django's ALLOWED_HOSTS (deployment checklist: protects against Host header attacks), and frameworks that name
    it alike. Counts: `*` among the names.
    """
    for setting in told:
        if _HOSTS.search(setting.name.upper()) and "*" in _listed(setting.text):
            yield Fault(setting.key, "every host name is allowed", "list the names that it is reached by")


def cors_origins(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """Not every web site may use the visitors' sessions.

    django-cors-headers (CORS_ALLOW_ALL_ORIGINS), Directus (CORS_ORIGIN: true answers every origin), and the
    variables that others name alike. Counts: `*`, a scheme with `*`, a pattern that matches all, true.
    """
    for setting in told:
        name = re.sub(r"[^A-Z0-9]+", "_", setting.name.upper())
        if not _ORIGINS.search(name) and "CORS_ALLOW_ALL" not in name and "CORS_ORIGIN_ALLOW_ALL" not in name:
            continue
        listed = _listed(setting.text)
        if "ALLOW_ALL" in name and listed and listed[0] in _TRUE:
            yield Fault(setting.key, "every origin is allowed", 'write "false", and list the origins of your sites')
        elif any(_ANY_ORIGIN.fullmatch(item) for item in listed) or listed == ["true"]:
            yield Fault(setting.key, "every origin is allowed", "list the origins of your sites, such as https://shop.example.com")


def database_password(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """Databases ask for a password, and not for a default one: whatever else runs on a network must not read them all.

    The official images' own warnings (POSTGRES_HOST_AUTH_METHOD=trust, MYSQL_ALLOW_EMPTY_PASSWORD), MongoDB's
    security checklist. Counts: such servers, URLs without a password, empty and well-known passwords.
    """
    reason = servers.unguarded_database(service, _by_name(told))
    if reason:
        yield Fault("environment", "the database asks for no password: " + reason, "give it one in a secret, with NAME_FILE where the image reads that")
        return
    yield from _password_faults(told, _DATABASE_URL, _DATABASE_PASSWORD, "database")


def redis_password(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """Redis, Valkey, KeyDB and Dragonfly ask for a password: their queues run code, and they have none by default.

    Redis's own security page. Counts: servers without requirepass or ACL in command or configuration, URLs
    without a password.
    """
    reason = servers.unguarded_redis(stack, service, _by_name(told))
    if reason:
        remedy = 'mount a secret with {template: "requirepass {NAME:redis_conf}\\n"} and name its file in the command'
        yield Fault("command", "Redis asks for no password: " + reason, remedy)
    yield from _password_faults(told, _REDIS_URL, _REDIS_PASSWORD, "Redis")


def plain_secrets(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """No secret in the plain environment or on a command line: `docker inspect`, the Compose file and crash reports show it.

    Docker's documentation of secrets, OWASP's secrets management cheat sheet. Counts: variables named like a
    password, token or key, and URLs and connection strings with a password.
    """
    for setting in told:
        text = (setting.text or "").strip()
        if not setting.plain or not text or _PUBLIC.search(setting.name.upper()) or re.fullmatch(r"[0-9]{1,5}", text):
            continue
        if _ANY_URL_PASSWORD.search(text) or _CONNECTION_PASSWORD.search(text):
            yield Fault(setting.key, "it has a password, and the plain environment shows it", _AS_SECRET)
        elif holds_credential(setting.name) and text.lower() not in (*_TRUE, "no", "false", "off", "none", "null") and not _PLACE.match(text):
            yield Fault(setting.key, "by its name it is a secret, and the plain environment shows it", _AS_SECRET)
    flag = servers.plain_password(service)
    if flag:
        yield Fault("command", "{0} has a password that `docker inspect` shows".format(flag), "put it into a file that is a secret")


def certificates(stack: model.Mapping, service: model.Mapping, told: Settings) -> Faults:
    """The edge shows certificates that browsers trust: who is used to a warning clicks it away when it matters.

    Let's Encrypt's documentation of its staging environment (not trusted, for tests alone), OWASP's transport layer
    security cheat sheet. Counts: edge.tls of kind self_signed, and Let's Encrypt's staging.
    """
    tls = model.mapping(edge_of(stack).get("tls"))
    remedy = "use kind: acme, or kind: files with certificates of your own"
    if not tls or service != model.services_of(stack).get(nginx_service(stack)):
        return
    if tls.get("kind") == "self_signed":
        yield Fault("edge.tls.kind", "the certificate is self-signed, which no browser trusts", remedy)
    elif tls.get("kind") == "acme" and tls.get("staging") is True:
        yield Fault("edge.tls.staging", "certificates of Let's Encrypt's staging are trusted by no browser", "take staging out")


RULES: t.Dict[str, t.Callable[[model.Mapping, model.Mapping, Settings], Faults]] = {
    rule.__name__: rule
    for rule in (
        debug,
        secret_key,
        allowed_hosts,
        cors_origins,
        database_password,
        redis_password,
        plain_secrets,
        certificates,
        docker_socket,
        privileged,
    )
}


# What they say of a secret is known from its value alone.
OF_VALUES = (secret_key.__name__, database_password.__name__, redis_password.__name__)


def signs(name: str) -> bool:
    """Whether a variable or secret of that name is a key that the application itself signs with."""
    name = re.sub(r"[^A-Z0-9]+", "_", name.upper())
    return bool(_SIGNS.search(name)) and not _HANDED_OUT.search(name)


def weak_key(name: str, text: str) -> str:
    """Why that is no key to sign with, or nothing."""
    if placeholder(text):
        return "is well-known or a placeholder"
    if len(text.strip()) < _least(name):
        return _short(name)
    return "has fewer than 5 different characters" if len(set(text)) < 5 else ""


def _least(name: str) -> int:
    return 50 if name.upper() in ("SECRET_KEY", "DJANGO_SECRET_KEY") else 32


def _short(name: str) -> str:
    return "has fewer than {0} characters".format(_least(name))


def _by_name(told: Settings) -> t.Dict[str, Setting]:
    return {setting.name: setting for setting in told if setting.variable}


def _listed(text: t.Optional[str]) -> t.List[str]:
    """The items of a list as variables hold them: with commas, blanks or semicolons, or as JSON."""
    text = (text or "").strip()
    try:
        found = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        found = None
    items = found if isinstance(found, list) else re.split(r"[\s,;]+", text.strip("[]"))
    return [str(item).strip().strip("\"'").lower() for item in items if str(item).strip()]


def _password_faults(told: Settings, url: t.Pattern[str], password: t.Pattern[str], what: str) -> Faults:
    apart = [setting for setting in told if password.search(setting.name.upper())]
    given = any(setting.text is None or setting.text.strip() for setting in apart)
    for setting in told:
        found = [_has_password(*parts) for parts in url.findall(setting.text or "")]
        if not all(found) and not given:
            yield Fault(setting.key, "the {0} URL has no password".format(what), "write scheme://user:{NAME}@host as the template of a secret")
        elif found and placeholder(setting.text or ""):
            yield Fault(setting.key, "the {0} URL has a password that everybody knows".format(what), "use a generated secret")
    for setting in apart:
        if setting.text is not None and not setting.text.strip() and not given:
            yield Fault(setting.key, "the {0} password is empty".format(what), "give it one, as a secret")
        elif setting.text and "://" not in setting.text and placeholder(setting.text):
            yield Fault(setting.key, "the {0} password is one that everybody knows".format(what), "use a generated secret")


def _has_password(authority: str, rest: str) -> bool:
    """Also true where there is no network to guard, or a certificate in place of the password."""
    userinfo, at, host = authority.rpartition("@")
    other = re.search(r"[?&](?:password=[^&]|sslcert=|authMechanism=MONGODB-X509|host=(?:/|%2F))", rest, re.IGNORECASE)
    return bool(userinfo.partition(":")[2] or other or not host or host.lower().startswith("%2f"))
