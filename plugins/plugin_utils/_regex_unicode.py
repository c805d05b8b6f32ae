# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classes of Unicode that Go's expressions name, and the cases of letters beyond ASCII, as google-re2 knows them.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree

try:
    # Optional. Another package has the same name.
    import re2

    re2 = re2 if hasattr(re2, "Options") else None
except ImportError:
    re2 = None

# Go's names, each with the one that google-re2 has for it.
_CATEGORIES = """
    Letter=L Uppercase_Letter=Lu Lowercase_Letter=Ll Titlecase_Letter=Lt Cased_Letter=LC Modifier_Letter=Lm Other_Letter=Lo Mark=M Combining_Mark=M
    Nonspacing_Mark=Mn Spacing_Mark=Mc Enclosing_Mark=Me Number=N Decimal_Number=Nd digit=Nd Letter_Number=Nl Other_Number=No Punctuation=P punct=P
    Connector_Punctuation=Pc Dash_Punctuation=Pd Open_Punctuation=Ps Close_Punctuation=Pe Initial_Punctuation=Pi Final_Punctuation=Pf
    Other_Punctuation=Po Symbol=S Math_Symbol=Sm Currency_Symbol=Sc Modifier_Symbol=Sk Other_Symbol=So Separator=Z Space_Separator=Zs
    Line_Separator=Zl Paragraph_Separator=Zp Other=C Control=Cc cntrl=Cc Format=Cf Surrogate=Cs Private_Use=Co Unassigned=Cn Any ASCII Assigned
"""
_SCRIPTS = """
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Beria_Erfe Bhaiksuki Bopomofo Brahmi Braille Buginese
    Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret
    Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati
    Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi
    Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha
    Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui
    Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu
    Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian
    Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra
    Sharada Shavian Siddham Sidetic SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le
    Tai_Tham Tai_Viet Tai_Yo Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Tolong_Siki Toto Tulu_Tigalari Ugaritic Vai
    Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
"""


def _squashed(name: str) -> str:
    return re.sub("[ _-]", "", name).lower()


_NAMES = {
    _squashed(each): known or name for name, mark, known in (pair.partition("=") for pair in (_CATEGORIES + _SCRIPTS).split()) for each in (name, known or name)
}


def known_name(name: str) -> str:
    """The name of a class as google-re2 writes it; "" where Go has none of that name."""
    return _NAMES.get(_squashed(name), "")


def ranges_of(expression: str) -> t.Optional[tree.Ranges]:
    """The characters that an expression for a single one takes; None without google-re2, or where that does not know it."""
    return None if re2 is None else _asked(expression)


@functools.lru_cache(maxsize=256)
def _asked(expression: str) -> t.Optional[tree.Ranges]:
    options = re2.Options()
    options.log_errors = False
    try:
        machine = re2.compile("(?:{0})+".format(expression).encode("utf-8"), options)
    except re2.error:
        return None
    runs = (found.group().decode("utf-8") for found in machine.finditer(_every_character()))
    return tuple((ord(run[0]), ord(run[-1])) for run in runs)


@functools.lru_cache(maxsize=1)
def _every_character() -> bytes:
    return "".join(map(chr, [*range(0xD800), *range(0xE000, tree.UNICODE + 1)])).encode("utf-8")
