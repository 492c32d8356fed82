"""Zip containers of instruments, read with limits on number, size and ratio of their members.

Members are only ever read into memory; no path of the archive is used as a path.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from ...i18n import say
from ..base import Source

MAX_MEMBERS = 20_000
MAX_TOTAL = 512 * 2**20
#: A member that grows by more than this is refused once it is larger than `FREE`.
MAX_RATIO = 400
FREE = 4 * 2**20


class Archive:
    """A zip file whose directory was checked.

    Raises
    ------
    InstrumentError
        If it is cut, damaged, encrypted, holds a name twice, or unpacks to more than the limits.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._read = 0
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source.data))
            infos = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, EOFError) as exc:
            raise source.fail(say("sheet.zip_damaged", detail=str(exc))) from None
        if len(infos) > MAX_MEMBERS:
            raise source.fail(say("sheet.zip_members", count=len(infos), most=MAX_MEMBERS))
        self._infos = {info.filename: info for info in infos}
        if len(self._infos) != len(infos):
            raise source.fail(say("sheet.zip_twice"))

    @property
    def names(self) -> list[str]:
        """Names of the members, in the order of the directory."""
        return list(self._infos)

    def read(self, name: str) -> bytes:
        """The content of a member, its checksum verified.

        Raises
        ------
        InstrumentError
            If there is no such member, it is damaged, or it is larger than the limits.
        """
        info = self._infos.get(name)
        if info is None:
            raise self.source.fail(say("sheet.zip_missing", name=name))
        room = MAX_TOTAL - self._read
        if info.file_size > room or (info.file_size > FREE and info.file_size > MAX_RATIO * max(info.compress_size, 1)):
            raise self.source.fail(
                say("sheet.zip_ratio", packed=info.compress_size, size=info.file_size),
                f"member {name!r}",
            )
        try:
            with self._zip.open(info) as stream:
                data = stream.read(info.file_size + 1)
                if len(data) != info.file_size or stream.read(1):
                    raise zipfile.BadZipFile(f"{info.file_size} bytes declared, {len(data)} found")
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError, OverflowError) as exc:
            raise self.source.fail(say("sheet.zip_member", detail=str(exc)), f"member {name!r}") from None
        self._read += len(data)
        return data
