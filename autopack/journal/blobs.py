"""Bytes under their own sha256, compressed. The same bytes are kept once, whoever writes them."""

import hashlib
import zlib

import sqlalchemy as sa

from autopack.journal import tables
from autopack.journal.database import ConstraintBroken, Database
from autopack.journal.errors import BlobDamaged, BlobMissing


def put(database: Database, connection: sa.PoolProxiedConnection, data: bytes, *, ahead: bool = False) -> str:
    """The blob's id. Durable when this returns; put `ahead`, with the next transaction that is."""
    sha256 = hashlib.sha256(data).hexdigest()
    row = {"sha256": sha256, "data": zlib.compress(data), "size": len(data)}
    try:
        with database.writing(connection, ahead=ahead) as cursor:
            cursor.execute(database.statements.has_blob, {"sha256": sha256})
            if cursor.fetchone() is None:
                cursor.execute(database.statements.blob, row)
    except ConstraintBroken:
        pass  # on a server two writers may both find it missing: either one's bytes are these bytes
    return sha256


def get(database: Database, sha256: str) -> bytes:
    """Raises BlobMissing, BlobDamaged."""
    wanted = sa.select(tables.blobs.c.data, tables.blobs.c.size).where(tables.blobs.c.sha256 == sha256)
    with database.reading() as connection:
        found = connection.execute(wanted).one_or_none()
    if found is None:
        raise BlobMissing(database.place, sha256)
    try:
        data = zlib.decompress(found.data)
    except zlib.error:
        raise BlobDamaged(database.place, sha256) from None
    if hashlib.sha256(data).hexdigest() != sha256 or len(data) != found.size:
        raise BlobDamaged(database.place, sha256)
    return data
