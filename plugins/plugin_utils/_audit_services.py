# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What usually listens at a port, by its number, its image or its process, and whether others are to reach it.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t


class Kind(t.NamedTuple):
    """A sort of service, and how bad it is when anybody reaches it; without a severity that is what it is for."""

    rule: str
    severity: str
    why: str


DATA = Kind("open_database", "high", "Databases, caches and queues are searched for all over the Internet, and emptied or held to ransom within hours.")
ADMIN = Kind("open_admin", "high", "Who gets in here administers something: the host, its containers, or what is stored.")
METRICS = Kind("open_metrics", "medium", "Metrics tell strangers what runs here, in which version, and often more.")
FILES = Kind("open_files", "high", "Protocols for files and remote desktops are attacked all the time.")
OTHER = Kind("open_port", "medium", "Nothing tells that it is meant for everybody. What is, is usually behind port 443, with TLS and one access log.")
PUBLIC = Kind("", "", "")


class Known(t.NamedTuple):
    label: str
    kind: Kind


# The names that programs and images have, then the ports that they have when nobody changes it.
_KNOWN: t.Tuple[t.Tuple[str, Kind, str, str], ...] = (
    ("PostgreSQL", DATA, "postgres postgresql postgis timescaledb timescaledb-ha pgvector spilo-15 spilo-16", "5432"),
    ("PgBouncer", DATA, "pgbouncer pgcat odyssey", "6432"),
    ("MySQL", DATA, "mysql mysqld mysql-server mariadb mariadbd percona percona-server", "3306 33060"),
    ("SQL Server", DATA, "sqlservr mssql", "1433"),
    ("Oracle", DATA, "tnslsnr", "1521"),
    ("MongoDB", DATA, "mongo mongod mongos mongodb", "27017 27018 27019"),
    ("Redis", DATA, "redis redis-server redis-stack redis-stack-server valkey valkey-server keydb keydb-server dragonfly", "6379 6380 26379"),
    ("memcached", DATA, "memcached", "11211"),
    ("Elasticsearch", DATA, "elasticsearch opensearch", "9200 9300"),
    ("RabbitMQ", DATA, "rabbitmq", "5672 25672"),
    ("Kafka", DATA, "kafka cp-kafka redpanda", "9092"),
    ("ZooKeeper", DATA, "zookeeper", "2181"),
    ("NATS", DATA, "nats nats-server", "4222"),
    ("MQTT", DATA, "mosquitto emqx", "1883"),
    ("CouchDB", DATA, "couchdb", "5984"),
    ("ClickHouse", DATA, "clickhouse clickhouse-server", "8123 9004"),
    ("Cassandra", DATA, "cassandra scylla", "9042"),
    ("InfluxDB", DATA, "influxdb influxd", "8086"),
    ("Neo4j", DATA, "neo4j", "7474 7687"),
    ("Meilisearch", DATA, "meilisearch", "7700"),
    ("Typesense", DATA, "typesense", "8108"),
    ("Qdrant", DATA, "qdrant", "6333 6334"),
    ("Solr", DATA, "solr", "8983"),
    ("MinIO", DATA, "minio", ""),
    ("the Docker API", ADMIN, "dockerd docker-socket-proxy socket-proxy", "2375 2376"),
    ("Kubernetes", ADMIN, "kubelet kube-apiserver", "6443 10250"),
    ("etcd", ADMIN, "etcd", "2379 2380"),
    ("Vault", ADMIN, "vault openbao", "8200"),
    ("Consul", ADMIN, "consul", "8500"),
    ("Portainer", ADMIN, "portainer portainer-ce portainer-ee", ""),
    ("Grafana", ADMIN, "grafana grafana-oss grafana-enterprise grafana-server", ""),
    ("Prometheus", ADMIN, "prometheus alertmanager", "9090 9093"),
    ("RabbitMQ's management", ADMIN, "", "15672"),
    ("Kibana", ADMIN, "kibana opensearch-dashboards", "5601"),
    ("Adminer", ADMIN, "adminer", ""),
    ("phpMyAdmin", ADMIN, "phpmyadmin", ""),
    ("pgAdmin", ADMIN, "pgadmin4 pgweb", ""),
    ("mongo-express", ADMIN, "mongo-express", ""),
    ("Redis' administration", ADMIN, "redis-commander redisinsight", ""),
    ("Flower", ADMIN, "flower", "5555"),
    ("Jenkins", ADMIN, "jenkins", ""),
    ("an image registry", ADMIN, "registry docker-registry", "5000"),
    ("Webmin", ADMIN, "webmin miniserv.pl", "10000"),
    ("Cockpit", ADMIN, "cockpit-ws cockpit.socket", ""),
    ("LDAP", ADMIN, "slapd openldap", "389 636"),
    ("node_exporter", METRICS, "node_exporter node-exporter prometheus-node", "9100"),
    ("cAdvisor", METRICS, "cadvisor", ""),
    ("rpcbind", FILES, "rpcbind rpcbind.socket", "111"),
    ("NFS", FILES, "nfsd rpc.mountd", "2049"),
    ("Samba", FILES, "smbd nmbd samba", "139 445"),
    ("rsync", FILES, "rsync", "873"),
    ("FTP", FILES, "vsftpd proftpd pure-ftpd", "21"),
    ("telnet", FILES, "telnetd", "23"),
    ("VNC", FILES, "vncserver x11vnc", "5900 5901"),
    ("RDP", FILES, "xrdp", "3389"),
    ("ssh", PUBLIC, "sshd ssh.socket sshd.socket dropbear", ""),
    ("mail", PUBLIC, "", "25 465 587 993 995"),
    ("a VPN", PUBLIC, "openvpn tailscaled wireguard wg-easy", "51820"),
)
_BY_NAME = {name: Known(label, kind) for label, kind, names, _ports in _KNOWN for name in names.split()}
_BY_PORT = {int(port): Known(label, kind) for label, kind, _names, ports in _KNOWN for port in ports.split()}
# Sockets that a host has without serving anybody.
_ORDINARY = {("udp", 68): "DHCP", ("udp", 546): "DHCP", ("udp", 5353): "mDNS", ("udp", 5355): "LLMNR", ("tcp", 5355): "LLMNR"}
_WEB = (("tcp", 80), ("tcp", 443), ("udp", 443))


def known(protocol: str, port: int, target: int, image: str, process: str) -> Known:
    """What that is. What runs there says more than the number: PostgreSQL at port 443 is PostgreSQL."""
    program = _by_name(image.partition("@")[0].rpartition("/")[2].partition(":")[0]) or _by_name(process)
    if program:
        return program
    if (protocol, port) in _ORDINARY and not image:
        return Known(_ORDINARY[protocol, port], PUBLIC)
    if process == "kernel" and protocol == "udp":
        return Known("a VPN of the kernel", PUBLIC)
    return _BY_PORT.get(target) or (Known("web", PUBLIC) if (protocol, port) in _WEB else _BY_PORT.get(port) or Known("", OTHER))


def _by_name(name: str) -> t.Optional[Known]:
    return _BY_NAME.get(name.lower())
