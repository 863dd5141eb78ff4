"""The broker of production: RabbitMQ 3.10 to 4.x over AMQP 0-9-1."""

from services.broker.rabbitmq.asking import RabbitHistory
from services.broker.rabbitmq.desk import RabbitDesk
from services.broker.rabbitmq.lease import RabbitLease
from services.broker.rabbitmq.sink import RabbitSink
from services.broker.rabbitmq.source import RabbitSource
from services.broker.rabbitmq.ticklog import RabbitTickLog

__all__ = ["RabbitDesk", "RabbitHistory", "RabbitLease", "RabbitSink", "RabbitSource", "RabbitTickLog"]
