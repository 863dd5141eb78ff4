"""The broker of production: RabbitMQ 3.10 to 4.x over AMQP 0-9-1."""

from services.broker.rabbitmq.lease import RabbitLease
from services.broker.rabbitmq.sink import RabbitSink
from services.broker.rabbitmq.source import RabbitSource

__all__ = ["RabbitLease", "RabbitSink", "RabbitSource"]
