"""The broker of production: RabbitMQ 3.10 to 4.x over AMQP 0-9-1."""

from services.broker.rabbitmq.admission import RabbitAdmission
from services.broker.rabbitmq.asking import RabbitHistory
from services.broker.rabbitmq.desk import RabbitDesk
from services.broker.rabbitmq.lease import RabbitLease
from services.broker.rabbitmq.revoker import RabbitRevoker
from services.broker.rabbitmq.sink import RabbitSink
from services.broker.rabbitmq.source import RabbitSource
from services.broker.rabbitmq.ticklog import RabbitTickLog

__all__ = [
    "RabbitAdmission",
    "RabbitDesk",
    "RabbitHistory",
    "RabbitLease",
    "RabbitRevoker",
    "RabbitSink",
    "RabbitSource",
    "RabbitTickLog",
]
