# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters as Ansible finds them, given values as Ansible holds them."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import exposure_facts as exposure
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.utils.unsafe_proxy import AnsibleUnsafe, AnsibleUnsafeText
from audit_facts import facts
from status_facts import service, stack, status

CHECKOUT = Path(__file__).parents[4]
PREFIX = "ansible_collections.portside.stack.plugins.filter."
NAMES = sorted(path.stem for path in (CHECKOUT / "plugins" / "filter").glob("*.py"))
STACKS = """
- name: shop
  services:
    web:
      image: nginx:1.28
      ports: [{target: 80, published: 8000}]
      secrets: [key]
  exposure: {web: loopback}
  secrets: {key: {generate: 32}}
"""


@pytest.fixture()
def stacks():
    """Values that carry where they come from, as a playbook's do."""
    return DataLoader().load(STACKS, "/stacks.yml")


def filtered(name, *args, **kwargs):
    return importlib.import_module(PREFIX + name).FilterModule().filters()[name](*args, **kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_is_documented_under_the_name_it_has(name):
    module = importlib.import_module(PREFIX + name)
    assert list(module.FilterModule().filters()) == [name]
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["name"] == name
    assert all(isinstance(line, str) for line in documentation["description"])
    assert "portside.stack." + name in module.EXAMPLES
    for option in documentation.get("positional", "").split(", "):
        assert not option or option in documentation["options"]
    assert "_value" in yaml.safe_load(module.RETURN)


def test_documents_come_out_plain(stacks):
    release = filtered("release_files", stacks[0], "/srv/shop", {"key": 2})
    assert yaml.safe_load(release["files"][release["compose_file"]]["content"]) == release["definition"]
    document = filtered("compose_document", stacks[0], directory="/srv/shop", secret_versions={"key": 2})
    assert document == release["definition"]
    assert yaml.safe_load(yaml.safe_dump(document)) == document


def test_the_others(stacks):
    assert filtered("stack_problems", stacks, {"shop": []}) == []
    assert "empty" in filtered("secret_problems", stacks, {"shop": {"key": ""}})[0]
    assert filtered("stack_merge", stacks, {"shop": {"profiles": ["x"]}})[0]["profiles"] == ["x"]
    assert filtered("stack_secret_files", stacks[0])["key"]["generate"] == 32
    assert filtered("exposure_table", stacks[0])[0]["published"] == "127.0.0.1:8000"
    assert "`web`" in filtered("exposure_table", stacks[0], stacks, format="markdown")
    assert filtered("open_ports", stacks) == []
    assert filtered("reserved_resources", stacks) == {"shop": []}
    assert filtered("stack_warnings", stacks[0], stacks) == []
    assert filtered("published_ports", stacks[0]["services"]["web"], {})[0]["public"] is True


def test_a_status_is_told_and_asked():
    told = filtered("status_report", status(stack("{{ 1 }}", service("db", tunnel_to=[{"address": "172.20.0.5", "port": 5432}]))), "box", {"user": "ops"})
    assert told["lines"][0].startswith("{{ 1 }}: release") and "ssh -N -L 5432:172.20.0.5:5432 ops@box" in told["lines"][-3]
    assert filtered("status_query", told["status"], "stacks[].services[].tunnel_to[].local") == [5432]
    assert isinstance(told["lines"][0], AnsibleUnsafe) or not issubclass(AnsibleUnsafeText, AnsibleUnsafe)
    with pytest.raises(AnsibleFilterError, match="position 7"):
        filtered("status_query", told["status"], "stacks[")


def test_what_a_host_says_is_no_template():
    exposed = exposure.host([exposure.container("{{ 1 }}", exposure.port(5432, target=5432))])
    plan = filtered("audit_probe", exposed, "{{ 2 }}")
    told = filtered("audit_report", facts(exposed))
    page = filtered("audit_index", [{"report": told["report"], "file": "x.html"}])
    # Before ansible-core 2.19 what is not marked so would be resolved when it is used.
    kept = all(isinstance(one, AnsibleUnsafe) for one in (plan["closed"][0]["owner"], told["text"], page)) or not issubclass(AnsibleUnsafeText, AnsibleUnsafe)
    assert kept and plan["addresses"] == ["{{ 2 }}"] and "container {{ 1 }}" in told["text"] and "my.server" in page


def test_a_refusal_is_ansibles_own_error(stacks):
    with pytest.raises(AnsibleFilterError, match="nothing is known of 'key'"):
        filtered("release_files", stacks[0])


def test_a_playbook_finds_them_and_templates_are_resolved(tmp_path):
    variables = tmp_path / "stacks.yml"
    variables.write_text(yaml.safe_dump({"stacks": yaml.safe_load(STACKS), "tag": "1.28"}).replace("nginx:1.28", "nginx:{{ tag }}"))
    expression = "{{ (stacks[0] | portside.stack.release_files('/srv/shop', {'key': 2})).files.values() | first }}"
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-m", "debug", "-a", "msg=" + expression]
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / "collections"), ANSIBLE_LOCALHOST_WARNING="false")
    done = subprocess.run(command + ["-e", "@{0}".format(variables)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "image: nginx:1.28" in done.stdout


def test_a_vaulted_value_is_named_and_not_shown():
    vaulted = pytest.importorskip("ansible.parsing.vault")
    if not hasattr(vaulted, "EncryptedString"):
        pytest.skip("ansible-core before 2.19 decrypts on sight")
    secret = vaulted.EncryptedString(ciphertext="$ANSIBLE_VAULT;1.1;AES256\n00")
    service = {"image": "x", "environment": {"PASSWORD": secret}}
    (problem,) = filtered("stack_problems", [{"name": "shop", "services": {"web": service}}])
    assert "key 'environment.PASSWORD'" in problem
    assert "stack_secrets" in problem
    assert "AES256" not in problem


def test_a_value_from_the_vault_is_judged_and_not_shown(tmp_path):
    (tmp_path / "password").write_text("x")
    vault = ["--vault-password-file", str(tmp_path / "password")]
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / "collections"), ANSIBLE_LOCALHOST_WARNING="false")

    def ansible(program, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "ansible", program, *arguments, *vault], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    encrypted = ansible("vault", "encrypt_string", "nobody-may-change-me", "--name", "vaulted")
    service = {"image": "x", "secrets": ["direct", "templated"]}
    declared = [{"name": "shop", "services": {"web": service}, "secrets": {"direct": {}, "templated": {}}}]
    values = "stack_secrets:\n  shop:\n    templated: '{{ vaulted }}'\n" + textwrap.indent(encrypted.replace("vaulted:", "direct:"), "    ")
    (tmp_path / "stacks.yml").write_text(yaml.safe_dump({"stacks": declared}) + encrypted + "\n" + values)
    expression = "msg={{ stacks | portside.stack.secret_problems(stack_secrets) }}"
    told = ansible("adhoc", "localhost", "-m", "debug", "-a", expression, "-e", "@stacks.yml")
    assert "'secrets.direct': its value was never chosen" in told
    assert "'secrets.templated': its value was never chosen" in told
    assert "change-me" not in told
