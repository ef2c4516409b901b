"""A report as one Parquet table: the cells of JSON, typed; the header in the file's metadata."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from fakefacecli.reports.cells import INTEGERS, REALS, TABLE_COLUMNS, from_table, table_cells
from fakefacecli.reports.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = b"fakeface"  # the key of the header
_GROUP_ROWS = 4096  # what is held in memory at once


def write_parquet(path: str, header: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Write the rows in groups of some thousand, so that a long scan takes little memory.

    Raises OSError.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(header)
    cells = map(table_cells, rows)
    # opened here: pyarrow itself takes no name that is not UTF-8
    with open(path, "wb") as handle, pq.ParquetWriter(handle, schema) as writer:
        while group := list(islice(cells, _GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema))


def read_parquet(path: str) -> tuple[dict[str, Any] | None, frozenset[str], Iterator[Row]]:
    """The header, if there is one, the names of the columns, and their cells row by row.

    Raises OSError, or ValueError for what is no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open(path, "rb") as handle:
            file = pq.ParquetFile(handle)
            said = (file.schema_arrow.metadata or {}).get(METADATA)
            table = file.read()
        header = json.loads(said) if said else None
        return header, frozenset(table.column_names), _rows(table)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"no Parquet table: {str(error).splitlines()[0]}") from error


def _rows(table: "pa.Table") -> Iterator[Row]:
    for batch in table.to_batches(_GROUP_ROWS):
        yield from map(from_table, batch.to_pylist())


def _schema(header: Mapping[str, Any]) -> "pa.Schema":
    import pyarrow as pa

    def kind(name: str) -> "pa.DataType":
        if name in INTEGERS:
            return pa.int64()
        return pa.float64() if name in REALS else pa.string()

    fields = [pa.field(name, kind(name)) for name in TABLE_COLUMNS]
    return pa.schema(fields, metadata={METADATA: json.dumps(header).encode()})
