# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import datetime

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from declarations import ANYTHING, SECRETS, STACKS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def stack(service=None, name="shop", **rest):
    """A stack of api and db, where api is also what is given."""
    services = {"api": dict({"image": "nginx"}, **(service or {})), "db": {"image": "postgres:17"}}
    declared = {"name": name, "services": services}
    declared.update(rest)
    return declared


def with_services(**services):
    return {"name": "shop", "services": services}


ONE_SHOT = {"condition": "service_completed_successfully"}
HEALTHY = {"condition": "service_healthy"}
PUBLISHED = [{"target": 80, "published": 8000}]
_GATEWAY_MODE = "com.docker.network.bridge.gateway_mode_"
_TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"

# What is wrong -> the declaration, and the words its one problem must have.
BAD = {
    "not a mapping": ("shop", ["stacks[0]", "mapping"]),
    "no name": (stack(name=None), ["key 'name'", "not a name"]),
    "name in capitals": (stack(name="Shop"), ["stack 'Shop'", "key 'name'", "a-z"]),
    "unknown stack key": (stack(servces={}), ["key 'servces'", "did you mean 'services'"]),
    "no services": ({"name": "shop", "services": {}}, ["key 'services'", "nothing to run"]),
    "services a list": ({"name": "shop", "services": [1]}, ["key 'services'", "not a mapping"]),
    "service a text": (with_services(api="nginx"), ["service 'api'", "'nginx' is not a mapping"]),
    "version among services": (with_services(api={"image": "x"}, version="3"), ["service 'version'", "no key of this place"]),
    "service name with a space": (with_services(**{"a b": {"image": "x"}}), ["service 'a b'", "letters, digits"]),
    "unknown service key": (stack({"helthcheck": {}}), ["service 'api'", "key 'helthcheck'", "did you mean 'healthcheck'"]),
    "no image": (stack({"image": None}), ["service 'api'", "key 'image'", "missing"]),
    "image in capitals": (stack({"image": "Nginx"}), ["'Nginx'", "lower case"]),
    "image with two tags": (stack({"image": "nginx:1:2"}), ["key 'image'", "'nginx:1:2'", "[:TAG]"]),
    "image a number": (stack({"image": 17}), ["key 'image'", "not text"]),
    "build": (stack({"build": "."}), ["key 'build.context'", "inventory"]),
    "container_name": (stack({"container_name": "api"}), ["key 'container_name'", "second container"]),
    "links": (stack({"links": ["db"]}), ["key 'links'", "depends_on"]),
    "extends": (stack({"extends": {"service": "db"}}), ["key 'extends'", "anchor"]),
    "env_file": (stack({"env_file": ".env"}), ["key 'env_file'", "environment", "secrets"]),
    "volumes_from": (stack({"volumes_from": ["db"]}), ["key 'volumes_from'", "named volume"]),
    "x-portside": (stack({"x-portside": {}}), ["key 'x-portside'", "another"]),
    "reserved label": (stack({"labels": {"portside.stack": "x"}}), ["key 'labels'", "'portside.stack'", "another name"]),
    "Compose's label": (stack({"labels": ["com.docker.compose.project=x"]}), ["key 'labels'", "com.docker.compose.project"]),
    "port 22:22 read by YAML": (stack({"ports": [1342]}), ["key 'ports[0]'", "value 1342", "22:22", "base 60", "quote"]),
    "port a plain integer": (stack({"ports": ["1:1", 8000]}), ["key 'ports[1]'", "value 8000", "published"]),
    "port text wrong": (stack({"ports": ["http:80"]}), ["key 'ports[0]'", "'http'"]),
    "ports a text": (stack({"ports": "80:80"}), ["key 'ports'", "not a list"]),
    "port with an address": (
        stack({"ports": ["127.0.0.1:80:80"]}, exposure={"api": "public"}),
        ["key 'ports[0]'", "`exposure`", "leave 127.0.0.1 out"],
    ),
    "port without a number of the host": (
        stack({"ports": [{"target": 80}]}, exposure={"api": "loopback"}),
        ["key 'ports[0]'", "picked by the engine", "loopback", "published"],
    ),
    "range for one port": (stack({"ports": ["8000-8010:80"]}, exposure={"api": "public"}), ["picked by the engine"]),
    "published twice by two services": (
        dict(
            with_services(a={"image": "x", "ports": PUBLISHED}, b={"image": "x", "ports": ["8000:90"]}),
            exposure={"a": "public", "b": "loopback"},
        ),
        ["service 'b'", "key 'ports[0]'", "8000/tcp", "'a'", "'shop'"],
    ),
    "published twice by one service": (
        stack({"ports": ["8000:80", "8000:81"]}, exposure={"api": "public"}),
        ["key 'ports[1]'", "8000/tcp", "second time"],
    ),
    "published twice within one range": (
        stack({"ports": ["8000-8001:80-81", {"target": 9, "published": "8001"}]}, exposure={"api": "public"}),
        ["key 'ports[1]'", "8001/tcp", "second time"],
    ),
    "exposure of nobody": (stack(exposure={"apl": "public"}), ["key 'exposure'", "'apl'", "did you mean 'api'"]),
    "exposure unknown": (stack(exposure={"api": "publik"}), ["key 'exposure.api'", "did you mean 'public'"]),
    "exposure without ports": (stack(exposure={"api": "public"}), ["service 'api'", "key 'ports'", "no port is published"]),
    "host network": (stack({"network_mode": "host"}), ["key 'network_mode'", "exposure", "publish"]),
    "another container's network": (stack({"network_mode": "container:x"}), ["key 'network_mode'", "service:NAME"]),
    "two kinds of network": (
        stack({"network_mode": "none", "networks": ["default"]}),
        ["key 'network_mode'", "together with `networks`"],
    ),
    "exposed without network": (
        stack({"network_mode": "none", "ports": PUBLISHED}, exposure={"api": "public"}),
        ["key 'network_mode'", "nothing can be published"],
    ),
    "exposed on internal networks": (
        stack({"networks": ["in"], "ports": PUBLISHED}, networks={"in": {"internal": True}}, exposure={"api": "public"}),
        ["key 'networks'", "ignores `ports`"],
    ),
    "replicas behind one port": (
        stack({"ports": PUBLISHED, "deploy": {"replicas": 2}}, exposure={"api": "public"}),
        ["key 'deploy.replicas'", "2 containers", "proxy"],
    ),
    "depends on nobody": (stack({"depends_on": ["dv"]}), ["key 'depends_on'", "'dv'", "declared are api, db"]),
    "depends on itself": (stack({"depends_on": ["api"]}), ["key 'depends_on'", "wait for itself"]),
    "loopback on a macvlan": (
        stack({"networks": ["lan", "default"], "ports": PUBLISHED}, networks={"lan": {"driver": "macvlan"}}, exposure={"api": "loopback"}),
        ["key 'networks'", "says loopback", "address of its own on lan (macvlan)", "bridge network", "declare it public"],
    ),
    "loopback on an ipvlan": (
        stack({"ports": PUBLISHED}, networks={"default": {"driver": "ipvlan"}}, exposure={"api": "loopback"}),
        ["key 'networks'", "address of its own on default (ipvlan)"],
    ),
    "loopback on a routed network": (
        stack({"ports": PUBLISHED}, networks={"default": {"driver_opts": {_GATEWAY_MODE + "ipv6": "routed"}}}, exposure={"api": "loopback"}),
        ["key 'networks'", "routed on default"],
    ),
    "loopback on an unprotected network": (
        stack({"ports": PUBLISHED}, networks={"default": {"driver_opts": {_GATEWAY_MODE + "ipv4": "nat-unprotected"}}}, exposure={"api": "loopback"}),
        ["key 'networks'", "nat-unprotected"],
    ),
    "loopback where an interface is trusted": (
        stack({"ports": PUBLISHED}, networks={"default": {"driver_opts": {_TRUSTED: "eth1"}}}, exposure={"api": "loopback"}),
        ["key 'networks'", "reached from eth1"],
    ),
    "shares with nobody": (stack({"network_mode": "service:x"}), ["key 'network_mode'", "'x'"]),
    "cycle": (
        with_services(
            a={"image": "x", "depends_on": ["b"]},
            b={"image": "x", "depends_on": {"c": None}},
            c={"image": "x", "network_mode": "service:a"},
        ),
        ["service 'a'", "a -> b -> c -> a"],
    ),
    "healthy without a healthcheck": (
        stack({"depends_on": {"db": HEALTHY}}),
        ["key 'depends_on'", "'db' has no healthcheck", "interval"],
    ),
    "awaits the end of what restarts": (
        with_services(a={"image": "x", "depends_on": {"b": ONE_SHOT}}, b={"image": "x", "restart": "always"}),
        ["service 'a'", "'b' never ends", "restart: always"],
    ),
    "awaits the start of a one-shot": (
        with_services(a={"image": "x", "depends_on": {"b": {"condition": "service_started"}}}, b={"image": "x", "restart": "no"}),
        ["service 'a'", "'b' runs once", "service_completed_successfully"],
    ),
    "condition unknown": (
        stack({"depends_on": {"db": {"condition": "healthy"}}}),
        ["key 'depends_on.db'", "'healthy'", "service_healthy"],
    ),
    "depends on a service that is off": (
        with_services(a={"image": "x", "depends_on": ["b"]}, b={"image": "x", "profiles": ["search"]}),
        ["service 'a'", "'b' does not run", "search"],
    ),
    "profile of nobody": (stack(profiles=["serch"]), ["key 'profiles'", "'serch'"]),
    "nothing runs": (with_services(a={"image": "x", "profiles": ["on"]}), ["key 'profiles'", "nothing would run"]),
    "network undeclared": (
        stack({"networks": ["bakend"]}, networks={"backend": {}}),
        ["key 'networks'", "did you mean 'backend'"],
    ),
    "volume undeclared": (stack({"volumes": ["dta:/d"]}, volumes={"data": {}}), ["key 'volumes'", "did you mean 'data'"]),
    "config undeclared": (stack({"configs": ["conf"]}), ["key 'configs[0]'", "'conf' is not declared", "`configs`"]),
    "secret undeclared": (
        stack({"secrets": [{"source": "keey"}]}, secrets={"keyy": {"generate": 32}}),
        ["key 'secrets[0]'", "did you mean 'keyy'"],
    ),
    "relative bind mount": (stack({"volumes": ["./conf:/conf"]}), ["key 'volumes[0]'", "'./conf' is relative", "configs"]),
    "home bind mount": (stack({"volumes": ["~/conf:/conf"]}), ["key 'volumes[0]'", "relative"]),
    "long relative bind mount": (
        stack({"volumes": [{"type": "bind", "source": "conf", "target": "/conf"}]}),
        ["key 'volumes[0]'", "'conf' is relative"],
    ),
    "mount of the current release": (
        stack({"volumes": ["/opt/stacks/shop/current/a:/a"]}),
        ["key 'volumes[0]'", "each release", "configs"],
    ),
    "mount nowhere": (stack({"volumes": ["data:data"]}, volumes={"data": {}}), ["key 'volumes[0]'", "absolute path"]),
    "mount of no kind": (stack({"volumes": [{"source": "a", "target": "/a"}]}), ["key 'volumes[0]'", "type", "volume"]),
    "two secrets in one place": (
        stack({"secrets": ["a", {"source": "b", "target": "a"}]}, secrets={"a": {"generate": 16}, "b": {"generate": 16}}),
        ["key 'secrets[1]'", "/run/secrets/a", "second time"],
    ),
    "secret with a numeric mode": (
        stack({"secrets": [{"source": "a", "mode": 256}]}, secrets={"a": {"generate": 16}}),
        ["key 'secrets[0].mode'", "value 256", '"0400"'],
    ),
    "secret for everybody": (
        stack({"secrets": [{"source": "a", "mode": "0444"}]}, secrets={"a": {"generate": 16}}),
        ["key 'secrets[0].mode'", "everybody"],
    ),
    "secret of a named user": (
        stack({"secrets": [{"source": "a", "uid": "redis"}]}, secrets={"a": {"generate": 16}}),
        ["key 'secrets[0].uid'", "'redis'"],
    ),
    "secret the user cannot read": (
        stack({"user": "1000:1000", "secrets": ["a"]}, secrets={"a": {"generate": 16}}),
        ["key 'secrets'", "user 1000", "'a'", 'uid: "1000"'],
    ),
    "config with an owner": (
        stack({"configs": [{"source": "a", "uid": "1"}]}, configs={"a": {"content": ""}}),
        ["key 'configs[0].uid'", "ignores"],
    ),
    "secret without a value": (stack({"secrets": ["a"]}, secrets={"a": {}}), ["key 'secrets.a'", "no value", "generate"]),
    "secret called a version": (stack(secrets={"a_v2": {}}), ["key 'secrets.a_v2'", "version"]),
    "secret with its value": (stack(secrets={"a": "hunter2"}), ["key 'secrets.a'", "stack_secrets"]),
    "secret too short": (stack(secrets={"a": {"generate": 8}}), ["key 'secrets.a'", "16"]),
    "secret of a file": (stack(secrets={"a": {"file": "x"}}), ["key 'secrets.a'", "'file'", "stack_secrets"]),
    "config without content": (stack(configs={"a": {}}), ["key 'configs.a'", "missing", "content"]),
    "config of a file": (stack(configs={"a": {"content": "", "file": "x"}}), ["key 'configs.a'", "'file'", "lookup"]),
    "config named a path": (stack(configs={"../a": {"content": ""}}), ["not a name"]),
    "external network with options": (
        stack(networks={"a": {"external": True, "driver": "bridge"}}),
        ["key 'networks.a'", "made elsewhere"],
    ),
    "two networks of one name": (
        stack(networks={"a": {"name": "shop_b"}, "b": {}}),
        ["key 'networks.b'", "'shop_b'", "'a'"],
    ),
    "volume with an unknown key": (stack(volumes={"a": {"drivr": "local"}}), ["key 'volumes.a'", "did you mean 'driver'"]),
    "environment a boolean": (stack({"environment": {"DEBUG": False}}), ["key 'environment.DEBUG'", "false", "quote"]),
    "environment without a value": (stack({"environment": {"A": None}}), ["key 'environment.A'", "whoever runs Compose"]),
    "environment listed without a value": (stack({"environment": ["A"]}), ["key 'environment.A'", "whoever runs Compose"]),
    "environment nested": (stack({"environment": {"A": ["b"]}}), ["key 'environment.A'", "not text"]),
    "environment twice": (stack({"environment": ["A=1", "A=2"]}), ["key 'environment[1]'", "second time"]),
    "interpolation": (stack({"command": ["echo", "$HOME"]}), ["key 'command[1]'", "$HOME", "$$HOME"]),
    "interpolation with braces": (
        stack({"environment": {"A": "x${TAG:-1}"}}),
        ["key 'environment.A'", "${TAG:-1}", "Ansible variable"],
    ),
    "a single dollar": (stack({"environment": {"A": "pa$"}}), ["key 'environment.A'", "$$"]),
    "an open quote": (stack({"command": "sh -c 'sleep 1"}), ["key 'command'", "never closed", "list"]),
    "a control character": (stack({"environment": {"A": "a\x85"}}), ["key 'environment.A'", "no text"]),
    "half a character in a config": (stack(configs={"a": {"content": "\ud800"}}), ["key 'configs.a.content'", "no text"]),
    "three dollars": (stack({"environment": {"A": "$$$A"}}), ["key 'environment.A'", "$A"]),
    "a date": (stack({"labels": {"since": datetime.date(2026, 1, 1)}}), ["key 'labels.since'", "date", "quote"]),
    "a key that is no text": (stack({"environment": {True: "x"}}), ["key 'environment'", "key true", "quote"]),
    "restart: no": (stack({"restart": False}), ["key 'restart'", "YAML 1.1", 'restart: "no"']),
    "restart unknown": (stack({"restart": "never"}), ["key 'restart'", "unless-stopped"]),
    "user a number": (stack({"user": 1000}), ["key 'user'", "quote"]),
    "command with a number": (stack({"command": ["sleep", 60]}), ["key 'command[1]'", "value 60", "quote"]),
    "privileged a text": (stack({"privileged": "yes"}), ["key 'privileged'", "true or false"]),
    "healthcheck starts wrong": (
        stack({"healthcheck": {"test": ["curl", "x"]}}),
        ["key 'healthcheck.test'", "'curl'", "CMD-SHELL"],
    ),
    "healthcheck with two command lines": (
        stack({"healthcheck": {"test": ["CMD-SHELL", "curl", "x"]}}),
        ["key 'healthcheck.test'", "exactly one"],
    ),
    "healthcheck interval": (stack({"healthcheck": {"interval": 5}}), ["key 'healthcheck.interval'", "value 5", "unit"]),
    "healthcheck start_interval": (
        stack({"healthcheck": {"test": "true", "start_interval": "1s"}}),
        ["key 'healthcheck.start_interval'", "start_period"],
    ),
    "healthcheck key": (stack({"healthcheck": {"intervall": "5s"}}), ["healthcheck.intervall", "did you mean 'interval'"]),
    "healthcheck retries": (stack({"healthcheck": {"retries": 0}}), ["key 'healthcheck.retries'", "from 1"]),
    "duration": (stack({"stop_grace_period": "60"}), ["key 'stop_grace_period'", "unit"]),
    "size": (stack({"mem_limit": "1 gigabyte"}), ["key 'mem_limit'", "512M"]),
    "limit of memory": (
        stack({"deploy": {"resources": {"limits": {"memory": "lots"}}}}),
        ["key 'deploy.resources.limits.memory'", "'lots'"],
    ),
    "processors": (
        stack({"deploy": {"resources": {"limits": {"cpus": "-1"}}}}),
        ["key 'deploy.resources.limits.cpus'", "'-1'"],
    ),
    "more reserved than allowed": (
        stack({"deploy": {"resources": {"limits": {"memory": "512M"}, "reservations": {"memory": "1G"}}}}),
        ["key 'deploy.resources.reservations.memory'", "limit"],
    ),
    "limit said twice": (
        stack({"mem_limit": "1G", "deploy": {"resources": {"limits": {"memory": "2G"}}}}),
        ["key 'mem_limit'", "'2G'", "keep one"],
    ),
    "restart_policy": (stack({"deploy": {"restart_policy": {}}}), ["key 'deploy.restart_policy'", "restart"]),
    "scale said twice": (stack({"scale": 1, "deploy": {"replicas": 2}}), ["key 'scale'", "keep one"]),
    "required of nobody": (stack(required_environment={"apl": ["A"]}), ["required_environment", "did you mean 'api'"]),
    "required missing": (
        stack({"environment": {"B": "1"}}, required_environment={"api": ["A"]}),
        ["service 'api'", "key 'environment'", "A is missing", "A_FILE"],
    ),
    "required empty": (
        stack({"environment": ["A="]}, required_environment={"api": ["A"]}),
        ["service 'api'", "A is empty"],
    ),
    "required one of two": (
        stack(required_environment={"api": ["JWT_SECRET|SIGNING_KEY"]}),
        ["JWT_SECRET or SIGNING_KEY is missing"],
    ),
    "required one of a list": (stack(required_environment={"api": [["A", "B"]]}), ["A or B is missing"]),
    "routes": (stack(routes=[{"service": "api", "port": 80}]), ["key 'routes'", "no edge", "edge: {kind: nginx}"]),
    "misroutes": (
        stack(
            exposure={"edge": "public"},
            edge={"kind": "nginx"},
            routes=[{"prefix": "/", "service": "api", "port": 80}, {"prefix": "/a", "service": "api", "port": 81}],
        ),
        ["stack 'shop'", "routes[1]", "routes[0]", "GET /a", "above"],
    ),
    "edge": (stack(exposure={"edge": "public"}, edge={"kind": "nginx"}), ["key 'edge'", "routes"]),
    "step of nobody": (
        stack(steps=[{"name": "migrate", "service": "apo", "command": "x", "before": "activate"}]),
        ["key 'steps[0]'", "'apo'", "did you mean 'api'?"],
    ),
    "check key": (stack(checks=[{"name": "a", "url": "http://a/", "stauts": 200}]), ["key 'checks[0]'", "stauts", "did you mean 'status'?"]),
    "check status": (stack(checks=[{"name": "a", "url": "http://a/", "status": "ok"}]), ["key 'checks[0]'", "status 'ok'", "write 200"]),
    "check timeout": (stack(checks=[{"name": "a", "url": "http://a/", "timeout": 0}]), ["key 'checks[0]'", "timeout 0", "seconds"]),
    "check interval": (stack(checks=[{"name": "a", "url": "http://a/", "interval": True}]), ["key 'checks[0]'", "interval true"]),
    "check headers": (stack(checks=[{"name": "a", "url": "http://a/", "headers": ["Host"]}]), ["key 'checks[0]'", "headers", "mapping"]),
    "check body": (stack(checks=[{"name": "a", "url": "http://a/", "body": "("}]), ["key 'checks[0]'", "body '('", "regular expression"]),
    "check that is none": (stack(checks=["http://a/"]), ["key 'checks[0]'", "http://a/", "mapping"]),
    "check without a name": (stack(checks=[{"url": "http://a/"}]), ["key 'checks[0]'", "no name"]),
    "check twice": (
        stack(checks=[{"name": "a", "url": "http://a/"}, {"name": "a", "url": "http://b/"}]),
        ["key 'checks[1]'", "'a'"],
    ),
    "check url": (stack(checks=[{"name": "a", "url": "127.0.0.1:80"}]), ["key 'checks[0]'", "127.0.0.1:80", "http://"]),
    "check with a password": (stack(checks=[{"name": "a", "url": "http://a:b@c/"}]), ["key 'checks[0]'", "without credentials"]),
    "check of two things": (stack(checks=[{"name": "a", "url": "http://a/", "tcp": "a.test:1"}]), ["key 'checks[0]'", "url and tcp at once"]),
    "check of another kind": (stack(checks=[{"name": "a", "tcp": "a.test:1", "status": 200}]), ["key 'checks[0]'", "status means nothing"]),
    "check of a queue": (stack(checks=[{"name": "a", "queue": {"redis": "a.test", "mx": 1}}]), ["checks[0]", "'mx'", "did you mean 'max'?"]),
    "check of no service": (stack(checks=[{"name": "a", "postgresql": "apy"}]), ["checks[0]", "'apy' is not a service", "did you mean 'api'?"]),
    "check of a host": (stack(checks=[{"name": "a", "tcp": "elsewhere:25"}]), ["'elsewhere' is not a service", "a dot in its name"]),
    "check of a service that is off": (
        stack({"profiles": ["x"]}, checks=[{"name": "a", "container": "api"}]),
        ["checks[0]", "container", "service 'api'", "off: none of its profiles is enabled"],
    ),
    "check of a service without containers": (
        stack({"scale": 0}, checks=[{"name": "a", "command": ["true"], "service": "api"}]),
        ["checks[0]", "service 'api'", "scaled to 0"],
    ),
    "check of a one-shot": (stack({"restart": "no"}, checks=[{"name": "a", "container": "api"}]), ["checks[0]", "'api'", "runs once and ends"]),
    "check with an unknown secret": (
        stack(secrets={"pw": {"generate": 32}}, checks=[{"name": "a", "redis": "db", "password_secret": "pww"}]),
        ["checks[0]", "'pww' is not a declared secret", "did you mean 'pw'?"],
    ),
    "check whose secret has no value": (
        stack(secrets={"pw": {}}, checks=[{"name": "a", "redis": "db", "password_secret": "pw"}]),
        ["key 'secrets.pw'", "it has no value"],
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_cannot_work_is_one_problem_that_says_where_why_and_what_to_do(fault):
    declared, words = BAD[fault]
    problems = stack_problems([declared], {})
    assert len(problems) == 1, problems
    for word in words:
        assert word in problems[0]
    if isinstance(declared, dict):
        assert problems[0].startswith("stack {0!r}".format(declared["name"]))
    assert problems[0][-1] in ".?"
    assert "hunter2" not in problems[0]


GOOD = {
    "bare": stack(),
    "unset suboptions": stack({"ports": None, "depends_on": None}, routes=None, edge=None, steps=[], checks=None, secrets=None),
    "any port where nothing is published": stack({"ports": ["80", "8000-8010:80", {"target": 1}]}),
    "same number, other protocol": stack({"ports": ["53:53", "53:53/udp"]}, exposure={"api": "public"}),
    "one port after the other": stack({"ports": ["8000:80", "8001:81"]}, exposure={"api": "loopback"}),
    "exposed replicas without ports on the host": stack({"deploy": {"replicas": 3}, "ports": ["80"]}),
    "public on a macvlan": stack({"ports": PUBLISHED}, networks={"default": {"driver": "macvlan"}}, exposure={"api": "public"}),
    "loopback on an internal macvlan and a bridge": stack(
        {"networks": ["lan", "default"], "ports": PUBLISHED}, networks={"lan": {"driver": "macvlan", "internal": True}}, exposure={"api": "loopback"}
    ),
    "internal and not": stack({"networks": ["in", "default"], "ports": PUBLISHED}, networks={"in": {"internal": True}}, exposure={"api": "public"}),
    "doubled dollars": stack({"command": "echo $$HOME $$$${x}"}),
    "dollars in a config": stack({"configs": ["a"]}, configs={"a": {"content": "proxy_set_header Host $host;"}}),
    "an empty config": stack({"configs": ["a"]}, configs={"a": {"content": ""}}),
    "optional dependency that is off": with_services(
        a={"image": "x", "depends_on": {"b": {"condition": "service_started", "required": False}}},
        b={"image": "x", "profiles": ["search"]},
    ),
    "dependency of what is off itself": with_services(
        a={"image": "x"}, b={"image": "x", "profiles": ["s"], "depends_on": ["c"]}, c={"image": "x", "profiles": ["s"]}
    ),
    "healthcheck of the image": with_services(a={"image": "x", "depends_on": {"b": HEALTHY}}, b={"image": "x", "healthcheck": {"interval": "30s"}}),
    "a diamond": with_services(
        a={"image": "x", "depends_on": ["b", "c"]},
        b={"image": "x", "depends_on": ["d"]},
        c={"image": "x", "depends_on": ["d"]},
        d={"image": "x"},
    ),
    "secret readable by its user": stack({"user": "1000", "secrets": [{"source": "a", "uid": 1000}]}, secrets={"a": {"generate": 16}}),
    "secret readable by its group": stack({"user": "1000:70", "secrets": [{"source": "a", "gid": "70", "mode": "0440"}]}, secrets={"a": {"generate": 16}}),
    "secret that is off needs no value": dict(with_services(a={"image": "x"}, b={"image": "x", "profiles": ["s"], "secrets": ["k"]}), secrets={"k": {}}),
    "required in a file": stack({"environment": {"A_FILE": "/run/secrets/a"}}, required_environment={"api": ["A"]}),
    "required one of two": stack({"environment": ["B=1"]}, required_environment={"api": ["A|B"]}),
    "required of what is off": dict(with_services(a={"image": "x"}, b={"image": "x", "profiles": ["s"]}), required_environment={"b": ["A"]}),
    "equal limits": stack({"mem_limit": "1024M", "deploy": {"resources": {"limits": {"memory": "1G"}}}}),
    "extension": stack({"x-note": {"any": ["thing"]}}),
    "image of a registry with port and digest": stack({"image": "registry.test:5000/a/b__c:1.0-x@sha256:" + "a" * 64}),
    "external network": stack({"networks": ["shared"]}, networks={"shared": {"external": True, "name": "bnd"}}),
    "anonymous volume and tmpfs": stack({"volumes": ["/data", {"type": "tmpfs", "target": "/t"}]}),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_works_has_no_problem(case):
    assert stack_problems([GOOD[case]], {}) == []


def test_all_problems_are_told_at_once():
    declared = stack({"image": None, "ports": [1342], "restart": False, "depends_on": ["x"]}, profiles=["y"])
    assert len(stack_problems([declared])) == 5


def test_one_problem_is_told_once():
    assert len(stack_problems([stack({"networks": ["x", "x"]})])) == 1


def test_of_an_edge_that_cannot_be_made_nothing_more_is_told():
    found = stack_problems([stack(edge={"kind": "ngnix"}, routes=[{"service": "api", "port": 8000}], exposure={"edge": "public"})])
    assert len(found) == 1 and "key 'edge.kind'" in found[0], found


def test_stacks_share_the_ports_of_the_host():
    first = stack({"ports": PUBLISHED}, exposure={"api": "loopback"})
    second = stack({"ports": ["8000:1"]}, name="blog", exposure={"api": "public"})
    (problem,) = stack_problems([first, second])
    assert problem.startswith("stack 'blog', service 'api', key 'ports[0]'")
    assert "service 'api' of stack 'shop'" in problem
    assert stack_problems([first, dict(second, exposure={})]) == []


def test_a_service_that_is_off_holds_no_port():
    service = {"image": "x", "ports": PUBLISHED}
    declared = dict(with_services(a=service, b=dict(service, profiles=["s"])), exposure={"a": "public", "b": "public"})
    assert stack_problems([declared]) == []
    assert len(stack_problems([dict(declared, profiles=["s"])])) == 1


def test_two_stacks_of_one_name():
    (problem,) = stack_problems([stack(), stack()])
    assert "key 'name'" in problem
    assert "rename" in problem


def test_stacks_is_a_list():
    assert stack_problems({"name": "shop"}) == ["stacks: must be a list of stacks; write `- name: ...`."]


def test_values_of_secrets_are_looked_for_only_where_their_names_are_told():
    declared = stack({"secrets": ["a"]}, secrets={"a": {}})
    assert stack_problems([declared]) == []
    assert stack_problems([declared], {"shop": ["a"]}) == []
    assert "no value" in stack_problems([declared], {"shop": []})[0]


def test_values_of_what_is_not_declared():
    declared = stack(secrets={"db_password": {}})
    (problem,) = stack_problems([declared], {"shop": ["db_pasword"]})
    assert "did you mean 'db_password'" in problem
    (problem,) = stack_problems([declared], {"shopp": ["x"]})
    assert "stack 'shopp'" in problem


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(STACKS)
def test_judging_changes_nothing_and_says_the_same_again(declared):
    before = copy.deepcopy(declared)
    problems = stack_problems([declared], {"shop": list(SECRETS)})
    assert declared == before
    assert stack_problems([declared], {"shop": list(SECRETS)}) == problems


KEYS = ["image", "ports", "depends_on", "volumes", "networks", "environment", "healthcheck", "deploy", "secrets", "configs"]
KEYS += ["profiles", "labels", "command", "network_mode", "restart", "user", "scale", "mem_limit", "stop_grace_period"]
PARTS = ["services", "networks", "volumes", "configs", "profiles", "exposure", "secrets", "required_environment", "checks", "steps", "name"]


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=6),
    st.dictionaries(st.sampled_from(PARTS), ANYTHING, max_size=4),
)
def test_anything_at_all_is_judged_without_falling(service, parts):
    declared = {"name": "shop", "services": {"a": service, "b": {"image": "x", "depends_on": ["a"]}}}
    declared.update(parts)
    assert all(isinstance(problem, str) for problem in stack_problems([declared], {"shop": ["x"]}))


def test_two_stacks_that_would_share_a_volume_unawares():
    problems = stack_problems(
        [
            {"name": "a", "services": {"db": {"image": "postgres:17", "volumes": ["b_data:/data"]}}, "volumes": {"b_data": {}}},
            {"name": "a_b", "services": {"db": {"image": "postgres:17", "volumes": ["data:/data"]}}, "volumes": {"data": None}},
        ]
    )
    assert len(problems) == 1
    for word in ("stack 'a_b'", "volumes.data", "'a_b_data'", "volume 'b_data' of stack 'a'"):
        assert word in problems[0]
