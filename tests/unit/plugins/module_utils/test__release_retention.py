# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._release_images import (
    Image,
    keep_repository,
    plan_images,
)
from ansible_collections.portside.stack.plugins.module_utils._release_retention import kept_releases, unused_files
from hypothesis import given
from hypothesis import strategies as st

names = st.sampled_from(["a", "b", "c", "d", "e", "f"])
times = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z"])


@given(st.dictionaries(names, times), names, st.integers(1, 5))
def test_the_current_release_and_the_newest_others_are_kept(verified, current, keep):
    kept = kept_releases(verified, current, keep)
    assert current in kept and len(kept) == min(keep, len(set(verified) | {current}))
    for stays in kept - {current}:
        for goes in set(verified) - kept:
            assert (verified[stays], stays) > (verified[goes], goes)


@given(st.sets(names), st.lists(st.tuples(names, st.sampled_from(["", "/app.conf"]))))
def test_a_directory_of_files_stays_exactly_when_something_in_it_is_used(found, used):
    directories = {"/opt/files/" + name for name in found}
    unused = unused_files(directories, ["/opt/files/" + name + rest for name, rest in used])
    assert set(unused) == directories - {"/opt/files/" + name for name, _rest in used}


@given(
    images=st.dictionaries(names, st.sets(st.sampled_from(["portside.stack/shop:1", "portside.stack/cafe:1", "portside.stack/build/cafe-api:1", "app:1"]))),
    wanted=st.sets(names),
    used=st.dictionaries(names, st.just("container web uses it")),
    named=st.dictionaries(names, st.sets(st.sampled_from(["app:1", "app@sha256:1"]))),
)
def test_no_image_loses_what_somebody_needs(images, wanted, used, named):
    found = [Image(name, sorted(tags)) for name, tags in images.items()]
    drops, left = plan_images("shop", found, wanted, used, named)
    for drop in drops:
        tags = images[drop.image]
        assert drop.image not in wanted and drop.image not in used
        assert drop.references[-1] == "portside.stack/shop:1"
        others = set(drop.references[:-1])
        assert others <= named.get(drop.image, set()) | {"portside.stack/build/cafe-api:1"}
        assert others or "portside.stack/build/cafe-api:1" not in tags or "portside.stack/cafe:1" in tags
        assert not others or "portside.stack/cafe:1" not in tags
    reached = {drop.image for drop in drops}
    for name, tags in images.items():
        if "portside.stack/shop:1" in tags and name not in wanted:
            assert (name in reached) != (name in used)
        else:
            assert name not in reached
    assert not any("cafe" in tag for tag in left)


@pytest.mark.parametrize(
    ("stack", "repository"),
    [("shop", "shop"), ("my-shop_2", "my-shop_2"), ("a--b", "a--b"), ("a__b", "a__b")],
)
def test_the_keep_tags_bear_the_name_of_the_stack(stack, repository):
    assert keep_repository(stack) == "portside.stack/" + repository


def test_a_name_that_no_repository_may_have_gets_one_of_its_own():
    found = [keep_repository(stack) for stack in ("shop_", "shop-", "shop", "a___b", "a_-b")]
    assert len(set(found)) == 5 and found[0].startswith("portside.stack/shop-") and found[3].startswith("portside.stack/a-b-")
