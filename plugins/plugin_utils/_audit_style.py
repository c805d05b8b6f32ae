# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the pages of an audit look.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

STYLE = """
:root{--ink:#1b1f24;--soft:#57606a;--paper:#fff;--card:#f6f8fa;--line:#d0d7de;--high:#b3261e;--medium:#8a5300;--low:#1f5fa8;--listed:#57606a;--link:#0b57d0}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--paper:#0d1117;--card:#161b22;--line:#30363d;
--high:#ff8a80;--medium:#ffb95c;--low:#82b4ff;--listed:#9da7b1;--link:#8ab4f8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.7rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:2.5rem 0 .75rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
h3{font-size:1rem;margin:0;overflow-wrap:anywhere}a{color:var(--link)}header p{color:var(--soft);margin:.25rem 0}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.summary{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0}
.count{border:1px solid var(--line);border-top:4px solid currentColor;border-radius:6px;padding:.5rem 1rem;background:var(--card)}.count b{font-size:1.6rem}
nav ol{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;margin:1rem 0;list-style:none}
.finding{border:1px solid var(--line);border-left:5px solid var(--listed);border-radius:6px;background:var(--card);padding:.75rem 1rem;margin:.75rem 0}
.finding.high{border-left-color:var(--high)}.finding.medium{border-left-color:var(--medium)}.finding.low{border-left-color:var(--low)}
.about{color:var(--soft);margin:.25rem 0;font-size:.9rem}dl{display:grid;grid-template-columns:3rem 1fr;gap:.15rem .5rem;margin:.5rem 0 0}
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
.badge{display:inline-block;border:1px solid currentColor;border-radius:4px;padding:0 .4rem;font-size:.75rem;font-weight:700;text-transform:uppercase}
.badge.high,.count.high{color:var(--high)}.badge.medium,.count.medium{color:var(--medium)}.badge.low,.count.low{color:var(--low)}.badge.listed{color:var(--listed)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere;min-width:4.5rem}
th{color:var(--soft);font-weight:600}li{overflow-wrap:anywhere}
@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--card:#fff;--line:#999;--high:#b3261e;--medium:#8a5300;--low:#1f5fa8;--listed:#444;--link:#000}
body{max-width:none;padding:0;font-size:11pt}nav{display:none}.finding,tr{break-inside:avoid}h2{break-after:avoid}.wide{overflow:visible}a{text-decoration:none}}
"""
