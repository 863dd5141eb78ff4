"""stub"""

from gateway.admission.entitlement import Entitlement


class Revoked:
    def add(self, revocations, now): ...
    def holds(self, entitlement: Entitlement) -> bool:
        return False
