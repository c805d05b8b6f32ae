# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values nobody chose: what templates leave to be replaced, and credentials that everybody knows.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A reason never holds the text it is about, which may be a secret.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote

TEMPLATE = "it still is what a template has, to be replaced"
KNOWN = "it is a documented default, or made of the words that everybody tries first"
SAME = "its password follows from the name of its user"

# What a template asks to be replaced by, after `your-`.
_YOURS = (
    "account|address|api|app|application|auth|aws|bucket|client|company|credential|database|db|django|domain|email|host|hostname|id|instance|"
    "jwt|key|login|mail|name|org|organi[sz]ation|pass|passphrase|passwd|password|phone|port|private|project|pw|pwd|region|secret|server|"
    "service|site|smtp|string|tenant|token|url|user|username|value|website"
)
# These count in any text, whatever it is for.
_TEMPLATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![a-z])change[\W_]{0,3}(?:me|this)(?![a-z])",
        r"(?<![a-z])replace[\W_]{0,3}(?:me|this|with)(?![a-z])",
        r"(?<![a-z])(?:add|enter|fill[\W_]?in|insert|paste|put|set|type)[\W_]{0,3}your(?![a-z])",
        r"(?<![a-z])(?:fill|fix)[\W_]?(?:me|this)(?![a-z])",
        r"(?<![a-z0-9])your[-_ ]?(?:own[-_ ]?)?(?:" + _YOURS + r")s?(?![a-z])",
        r"^your[-_ ]+[a-z0-9][a-z0-9 _-]*[.!]*$",
        r"^[\w .<\[-]*[-_ ]here[\]>.!]*$",
        r"^<[a-z][a-z0-9 _./-]*>$|<your[^<>]*>",
        r"^\$\{[^{}]*\}$|^\$[a-z_][a-z0-9_]+$|^%[a-z_]+%$|^__[a-z][a-z0-9_]*__$",
        r"\{\{ *[a-z_][a-z0-9_.]*[^{}]*\}\}",
        r"^x[x\W_]*x[x\W_]*x$|x{6}",
        r"^django-insecure-",
    )
] + [re.compile(r"\$\{[A-Z_][A-Z0-9_]{3,}(?::?[-?+=][^{}]*)?\}|^(?:TODO|TBD|FIXME|CHANGEIT)\b")]

# A credential of these alone was not made, but copied or thought of.
_WORDS = (
    "access admin administrator after an and any api app application at auth backend bar baz be before bit bits broker bytes cache celery change "
    "changed changeit chars characters cookie dash database db default demo dev develop developer development directus django do dont dragonfly "
    "dummy elastic elasticsearch empty encryption enter example express fake fastapi fixme flask foo for frontend generate generated grafana guest "
    "hello here in insecure insert is it jwt key keys kibana laravel least letmein local localhost login long manager mariadb me minio mock mongo "
    "mongodb must my mysql neo next nextauth nil node none not now null of on only open opensearch or our owner pass passphrase passwd password "
    "passwords pg placeholder please postgres postgresql private prod production project put pwd qux qwerty rabbitmq rails random real redis replace "
    "root sample secret secrets secure server service session set should signing site so some staging string strong super superuser system tbd "
    "temp template temporary test tester testing text that the this tmp to todo token tokens top undefined unsafe use user username value vault "
    "very web website welcome will with world your"
)
_OF_WORDS = re.compile("(?:" + "|".join(sorted(_WORDS.split(), key=len, reverse=True)) + ")+")
_NAMED = re.compile(r"[a-z]{2,30}[-_](?:pass|passwd|password|pwd|secret)[0-9]{0,4}")
# Documented by products and tutorials, in lower case: MinIO, Directus, Grafana, AWS, OpenSearch, Vault, Elastic, Stripe.
_DOCUMENTED = frozenset(
    "minioadmin minio123 d1r3ctu5 sw2ycwtib9zpoohopsmm myroot mystrongpassword123! sk_test_4ec39hqlyjwdarjtt1zdp7dc somerandomstring "
    "somerandomstringofyourchoice akiaiosfodnn7example wjalrxutnfemi/k7mdeng/bpxrficyexamplekey q3am3uq867spqqa43p2f "
    "zuf+tfteslswru7bj86wekitnifilbzam1kyy3tg 255d861b-5ea1-5996-9aa3-922530ec40b1 6116487b-cda1-52c2-b5b5-c8022c45e263 "
    "s3cr3t s3cret secr3t p@ssw0rd p@ssword passw0rd pa$$word pa55word adm1n r00t toor sa hunter2 abc123 iloveyou monkey dragon trustno1 "
    "1q2w3e4r 1qaz2wsx qwertyuiop qwerty123 asdfgh asdfghjkl zxcvbn".split()
)
_ROWS = ("01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#\s]*)@")


def placeholder(text: str, credential: bool = True) -> str:
    """Why a text cannot be meant, or nothing. ``credential``: whether a common word is too little for it."""
    text = text.strip()
    if "\n" in text:  # a whole file, which may explain itself in words, and fill in variables of its own
        return TEMPLATE if re.search(r"(?<![a-z])change[-_]?me(?![a-z])", text, re.IGNORECASE) else ""
    if any(pattern.search(text) for pattern in _TEMPLATES):
        return TEMPLATE
    for found in _USERINFO.findall(text):
        user, _colon, password = (unquote(part) for part in found.partition(":"))
        reason = _login(user, password)
        if reason:
            return reason
    if "://" in text:
        return ""
    if _is_words(text) and re.search("change.?me|change.?this|replace.?me", text, re.IGNORECASE):
        return TEMPLATE
    return _common(text) if credential else ""


def _login(user: str, password: str) -> str:
    if placeholder(user, credential=False):
        return TEMPLATE
    lowered = password.lower()
    if not password:
        return ""
    if user and lowered.startswith(user.lower()) and re.fullmatch(r"[-_]?(?:pass|passwd|password|pw|pwd)?[0-9]{0,4}!?", lowered[len(user) :]):
        return SAME
    return placeholder(password)


def _common(text: str) -> str:
    lowered = text.lower()
    user, colon, password = lowered.partition(":")
    parts = [user, password] if colon else [lowered]
    if all(part in _DOCUMENTED or _is_words(part) for part in parts) or _NAMED.fullmatch(lowered):
        return KNOWN
    if len(text) > 2 and (len(set(text)) == 1 or any(lowered in row for row in _ROWS)):
        return KNOWN
    return SAME if user and user == password else ""


def _is_words(text: str) -> bool:
    """Whether it is nothing but common words, with what people put around and between them."""
    chunks: t.List[str] = re.findall("[a-z]+", text.lower())
    common = bool(chunks) and all(chunk == "a" or _OF_WORDS.fullmatch(chunk) for chunk in chunks)
    return common and sum(map(str.isdigit, text)) <= 6 and len(text) <= 120
