"""What is reached from another machine, with the role and without it."""

from __future__ import annotations

import json

import pytest

BOTH = {"v4", "v6"}
WATCH = "portside-exposure.service"
TOLD = "journalctl --output cat --unit " + WATCH
RECEIVER = """
import http.server

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("/run/posts", "a") as posts:
            posts.write(body + chr(10))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass  # it would have the path

http.server.HTTPServer(("127.0.0.1", 9999), Receiver).serve_forever()
"""


def test_it_is_there_and_comes_with_a_boot(root):
    assert "policy drop" in root.check_output("nft list table inet portside")
    assert root.service("portside-firewall").is_enabled and root.service("portside-firewall.timer").is_enabled
    assert root.service("portside-firewall.timer").is_running and root.service("portside-exposure.timer").is_running
    exposure = json.loads(root.file("/etc/portside/exposure.json").content_string)
    assert exposure["ssh_ports"] == [22] and exposure["firewall"] is True


def test_nothing_waits_to_take_it_back(root):
    assert not root.service("portside-firewall-revert.timer").is_running
    assert not root.file("/run/portside/firewall.pending").exists


def test_a_noop_is_one_remote_execution(play):
    for arguments in ((), ("--check", "--diff")):
        done = play("-vvv", *arguments)
        assert "changed=0 " in done.stdout, done.stdout
        assert done.stdout.count("ESTABLISH SSH CONNECTION") + done.stdout.count(" PUT ") <= 1


def test_a_container_by_hand_is_not_reached_and_that_of_the_stack_is(root, containers, seen):
    containers(root)
    assert (seen(22), seen(8080), seen(5432)) == (BOTH, BOTH, set())


def test_what_the_firewall_keeps_out_is_not_told_as_reached(root):
    root.check_output("systemctl start %s", WATCH)
    assert "database" not in root.check_output(TOLD)


def test_containers_still_reach_their_host(root):
    command = "import socket; print(socket.create_connection((%r, %d), 5).recv(3))"
    gateway = root.check_output("docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}'")
    done = root.check_output("docker run --rm --volume /usr:/usr:ro web python3 -c %s", command % (gateway, 22))
    assert "SSH" in done


def test_a_new_release_is_followed(root, seen, until):
    root.check_output("docker run --detach --name next --publish 8081:80 --rm --volume /usr:/usr:ro web python3 -m http.server 80")
    until(lambda: root.run("curl -sf -o /dev/null http://127.0.0.1:8081").rc == 0, 30)
    assert seen(8081) == set()
    for release, shown, hidden in (("0000000000000002", 8081, 8080), ("0000000000000001", 8080, 8081)):
        root.check_output("ln -sfn releases/%s /opt/stacks/shop/current", release)
        # What its timer does, which is waited for where a flush is put right.
        root.check_output("systemctl start portside-firewall-follow.service")
        assert (seen(shown), seen(hidden)) == (BOTH, set())
    root.check_output("docker rm --force next")


def test_the_host_itself_may_show_a_port(root, play, seen):
    machine = root.check_output("sh -c 'ss -Htn state established sport = :22 | head -n 1'").split()[3].rpartition(":")[0]
    opened = {"port": 5432, "reason": "the reporting tool", "sources": [machine.strip("[]").replace("::ffff:", "")]}
    done = play("--diff", firewall_open=[opened])
    assert done.returncode == 0 and "the reporting tool" in done.stdout, done.stdout
    assert seen(5432) == {"v4"}
    assert "changed=0 " in play(firewall_open=[opened]).stdout
    assert play().returncode == 0
    assert seen(5432) == set()


def test_switched_off_it_leaves_no_trace_and_the_container_is_reached(root, play, seen):
    done = play(firewall_enabled=False)
    assert done.returncode == 0, done.stdout
    assert "changed=0 " in play(firewall_enabled=False).stdout
    assert seen(5432) == BOTH
    assert "portside" not in root.check_output("nft list tables")
    assert root.check_output("ls /etc/portside").split() == ["exposure.json"]
    assert root.check_output("find /etc/systemd /run/systemd -name 'portside-firewall*'") == ""


def test_what_is_reached_is_told_once_in_the_journal_and_by_the_webhook(root, play, until):
    options = {"firewall_enabled": False, "firewall_watch_webhook": "http://127.0.0.1:9999/hook/sesame"}
    done = play("-vvv", "--diff", **options)
    assert done.returncode == 0 and "sesame" not in done.stdout, done.stdout
    assert "changed=0 " in play(**options).stdout
    root.check_output("systemctl stop portside-exposure.timer")
    root.check_output("systemctl start %s", WATCH)
    # Nobody is there yet to take it.
    told = root.check_output(TOLD)
    assert "exposure: undeclared_port: container database publishes 0.0.0.0:5432" in told and "Connection refused" in told
    root.check_output("systemd-run --unit receiver python3 -c %s", RECEIVER)
    until(lambda: root.socket("tcp://127.0.0.1:9999").is_listening, 10)
    for repeated in range(2):
        root.check_output("systemctl start %s", WATCH)
        posts = [json.loads(line) for line in root.check_output("cat /run/posts").splitlines()]
        assert len(posts) == 1, repeated
    assert "database" in [one["container"] for one in posts[0]["violations"]] and posts[0]["gone"] == []
    assert root.check_output(TOLD) == told
    assert "sesame" not in root.check_output("journalctl --no-pager --output export")
    assert root.check_output("grep -rl s[e]same /etc /run/portside /run/systemd /usr/local /var/log").split() == ["/etc/portside/webhook"]
    assert root.file("/etc/portside/webhook").mode == 0o600
    root.check_output("systemctl stop receiver")


@pytest.mark.slow
def test_who_wants_no_watch_keeps_nothing_of_it(root, play):
    options = {"firewall_enabled": False, "firewall_watch": False}
    assert play(**options).returncode == 0
    assert "changed=0 " in play(**options).stdout
    assert root.check_output("ls /etc/portside").split() == ["exposure.json"]
    assert root.check_output("find /etc/systemd /run/systemd /run/portside -name '*exposure*'") == ""


def test_switched_on_again_it_does_not_cut_what_works_unasked(root, play, seen):
    done = play()
    assert done.returncode != 0
    assert "5432/tcp (container database)" in done.stdout and "firewall_cut=true" in done.stdout
    assert "8080/tcp" not in done.stdout
    assert seen(5432) == BOTH
    assert play("-e", "firewall_cut=true").returncode == 0
    assert (seen(8080), seen(5432)) == (BOTH, set())
    assert "changed=0 " in play().stdout
