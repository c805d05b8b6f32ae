"""What differs on the host from what was released is named, all of it at once, and site.yml mends it."""

from __future__ import annotations

from system3 import DIRECTORY

EDGE = f"{DIRECTORY}/edge/nginx.conf"
OTHER_IMAGE = """cd {0}/current && docker commit appstack-celery-1 other:1 &&
echo 'services: {{celery: {{image: "other:1"}}}}' >/root/other.yaml &&
docker compose --project-name appstack --file compose.yaml --file /root/other.yaml up --detach --no-deps celery"""
STRANGER = """docker run --detach --name stranger --network none --label com.docker.compose.project=appstack
--label com.docker.compose.service=stranger --label com.docker.compose.oneoff=False redis:7 sleep infinity"""
# The timer would put it back within half a minute.
FIREWALL = r"""systemctl stop portside-firewall.timer &&
nft --handle list table inet portside | awk '/^\tchain/ {chain = $2} /^\t\t.*# handle [0-9]+$/ {print chain, "handle", $NF}' |
tail --lines 1 | xargs nft delete rule inet portside"""

# What is done by hand, and what is said of it.
DRIFTED = {
    "a file that was edited": (f"echo '# by hand' >>{DIRECTORY}/current/compose.yaml", "compose.yaml was edited"),
    "another image": (OTHER_IMAGE.format(DIRECTORY), "service celery: runs image other:1 instead of"),
    "a container too many": (" ".join(STRANGER.split()), "container stranger .* is of the project, but not of the release"),
    "another limit": ("docker update --memory 300M --memory-swap 300M appstack-db-1", "service db: memory limit is 300 MiB instead of 512 MiB"),
    "a rule of the firewall gone": (FIREWALL, "firewall: the table inet portside was changed: it lacks"),
    "a route gone": (rf"sed -i '\#^        location .*/media/#,/^        }}/d' {EDGE}", "edge/nginx.conf is not the release's"),
}
STOPPED = ("docker stop appstack-redis-1", "service redis: is exited")


def test_all_that_drifted_is_named_and_what_is_broken_told_from_it_and_a_deploy_mends_it(stack):
    for command, _said in DRIFTED.values():
        stack.sh(command)
    found = stack.run("verify")
    assert found.code == 2 and not found.lacks(*(said for _command, said in DRIFTED.values())), found.output

    stack.sh(STOPPED[0])
    stack.sh("docker exec appstack-proxy-1 nginx -s reload")
    found = stack.run("verify")
    assert found.code == 4 and not found.lacks(STOPPED[1], *(said for _command, said in DRIFTED.values())), found.output

    mended = stack.run("site")
    assert mended.code == 0, mended.output
    found = stack.run("verify")
    assert (found.code, found.changed) == (0, 0), found.output
    assert stack.ask("/media/photo.txt").status == 200
