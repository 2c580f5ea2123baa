"""Which application protocol a service port speaks, told by its name first and its number second."""

from bot.model.facts import ServicePort

# Words of `Prober.connect`. Kubernetes names ports `<protocol>[-<suffix>]` by convention, people abbreviate.
_BY_NAME = {
    **{
        word: word
        for word in ("amqp", "amqps", "dns", "ftp", "grpc", "http", "https", "kafka", "memcached", "mongodb", "mysql")
    },
    **{word: word for word in ("postgresql", "redis", "rediss", "smtp", "ssh", "tls", "zookeeper")},
    "h2c": "grpc",
    "http2": "grpc",
    "mongo": "mongodb",
    "memcache": "memcached",
    "mariadb": "mysql",
    "pg": "postgresql",
    "postgres": "postgresql",
    "rabbitmq": "amqp",
    "web": "http",
    "zk": "zookeeper",
}
_BY_NUMBER = {
    21: "ftp",
    22: "ssh",
    25: "smtp",
    53: "dns",
    80: "http",
    443: "https",
    2181: "zookeeper",
    3306: "mysql",
    5432: "postgresql",
    5671: "amqps",
    5672: "amqp",
    6379: "redis",
    6443: "https",
    8080: "http",
    8443: "https",
    9092: "kafka",
    11211: "memcached",
    15672: "http",
    27017: "mongodb",
}


def spoken_on(port: ServicePort) -> str:
    """A word that `Prober.connect` can speak, or "" when nothing tells. A name like `http-metrics` counts."""
    head = port.name.split("-")[0].lower()
    return _BY_NAME.get(head) or _BY_NUMBER.get(port.port, "")
