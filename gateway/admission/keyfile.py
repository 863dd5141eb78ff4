"""The keys of an issuer in a file of this machine."""

from __future__ import annotations

from gateway.admission.figures import KeyFigures
from gateway.admission.keyset import Keys
from gateway.admission.watchedfile import WatchedFile


class KeyFile:
    """The keys in *file*."""

    def __init__(self, file: WatchedFile[Keys]) -> None:
        self._file = file

    @property
    def keys(self) -> Keys:
        """Those of the newest good version."""
        return self._file.content

    async def run(self) -> None:
        """Look for newer versions."""
        await self._file.run()

    async def seek(self, name: str | None) -> None:
        """Nothing to do: the file is looked at all the time."""

    def figures(self) -> KeyFigures:
        """Return what metrics show."""
        return KeyFigures(keys=len(self.keys), unloaded=self._file.failures)
