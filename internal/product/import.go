package product

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"buf.build/go/protovalidate"

	"larder.dev/internal/fault"
)

// An import adds and changes products by a file, one a line. Its rules:
//
//   - A line says all of a product, as CreateProduct takes it; what it leaves out is empty. Only cost, status and assortment stay as
//     they are when they are left out; a new product then has none, is a draft, and is sold everywhere. The price is today's
//     everyday one.
//   - What is as the line says isn't touched: no version, no revision, no entry in the audit trail.
//   - A line that can't go in is told with its number and field; the others go in. A file names a product once.
//   - An import is its merchandiser's: its id is a key that they have chosen, and another's may be the same.
//   - A file goes in by parts, each in one transaction with the import's progress. So it can be cut off anywhere, and goes on behind
//     the last part. The digest of what is done tells whether it is the same file; a part that comes again changes nothing.

// ImportFormat is a file's.
type ImportFormat string

// Formats: a product in JSON a line; comma-separated values, whose first line names the fields.
const (
	NDJSON ImportFormat = "ndjson"
	CSV    ImportFormat = "csv"
)

// MaxLine is how long a line may be, bytes without its end. A product of the longest fields in all stores has less.
const MaxLine = 128 << 10

// maxPart is how many lines a part may have.
const maxPart = 1000

// ImportID names an import: whose it is, and the key that they gave it.
type ImportID struct{ UserID, Key string }

// Import is how far one has come.
type Import struct {
	ID      ImportID
	Format  ImportFormat
	Columns []string // of a CSV file, as its first line names them
	Lines   int64    // of the file that are done
	Digest  []byte   // SHA-256 of them
	Done    bool     // to the file's end
	// Bytes of the file that are done, and its size; 0: not known.
	Bytes, Size int64
	// Products that were added, changed, and as the file says already; lines that couldn't go in.
	Created, Changed, Unchanged, Failed int64
	Errors                              []LineError // the first 1,000; only of Imports.Import
	CreateTime, UpdateTime              time.Time
}

// ImportPart is a part of a file, read. Every line is a product, an error, or empty.
type ImportPart struct {
	ID       ImportID
	Format   ImportFormat
	Columns  []string // of the first part of a CSV file
	After    int64    // lines of the file before it
	Until    int64    // and to its end
	Bytes    int64    // of the file to its end
	Size     int64    // of the file, bytes; 0: not known
	Digest   []byte   // SHA-256 of the file to its end
	Last     bool
	Products []ImportLine
	Errors   []LineError
}

// ImportLine is a line's product. No status, no cost, no stores: as they are.
type ImportLine struct {
	Line int64 // from 1
	Product
}

// LineError tells why a line couldn't go in.
type LineError struct {
	Line        int64
	Field       string // as in the API's Product; "body" for the whole line
	Reason      string // of fault
	Description string
}

// Imports keeps imports and takes products in. Its errors are coded: IMPORT_NOT_FOUND, IMPORT_CONFLICT, IDEMPOTENCY_KEY_REUSED,
// and UNAVAILABLE while the database is away.
type Imports interface {
	// Import finds one, with its errors.
	Import(ctx context.Context, id ImportID) (Import, error)
	// LatestImports are everybody's, those that were brought on last first, without errors.
	LatestImports(ctx context.Context, limit int) ([]Import, error)
	// TakeIn takes a part in, all that can go in of it or, with an error, nothing. A part after no lines begins the import. What is
	// the import's last part already is taken in again without effect.
	TakeIn(ctx context.Context, part ImportPart) (Import, error)
}

// Importer reads the lines of imports.
type Importer struct {
	imports   Imports
	validator protovalidate.Validator
}

// NewImporter makes one. The validator holds lines against their proto's rules.
func NewImporter(i Imports, validator protovalidate.Validator) *Importer {
	return &Importer{imports: i, validator: validator}
}

// Import returns one with its errors. Errors: IMPORT_NOT_FOUND.
func (i *Importer) Import(ctx context.Context, id ImportID) (Import, error) {
	return i.imports.Import(ctx, id)
}

// Latest lists everybody's imports, those that were brought on last first, without errors.
func (i *Importer) Latest(ctx context.Context, limit int) ([]Import, error) {
	return i.imports.LatestImports(ctx, limit)
}

// TakeIn reads the lines of a part and takes them in; whole lines, each with its end, at most 1,000. Errors: INVALID_ARGUMENT,
// IMPORT_NOT_FOUND, IMPORT_CONFLICT, IDEMPOTENCY_KEY_REUSED.
func (i *Importer) TakeIn(ctx context.Context, part ImportPart, lines []byte) (Import, error) {
	part.Until = part.After
	if part.Format == CSV && part.After > 0 {
		begun, err := i.imports.Import(ctx, part.ID)
		if err != nil {
			return Import{}, err
		}
		part.Columns = begun.Columns
	}
	var rest []numbered
	for line := range bytes.Lines(lines) {
		part.Until++
		if part.Until-part.After > maxPart {
			return Import{}, fault.Invalid("lines", "must be at most %d lines", maxPart)
		}
		line = trimEnd(line)
		if part.Until == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // a byte order mark, as spreadsheets write it
		}
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case part.Format == CSV && part.Columns == nil:
			columns, err := columnsOf(line)
			if err != nil {
				return Import{}, err
			}
			part.Columns = columns
		default:
			rest = append(rest, numbered{line: line, number: part.Until})
		}
	}
	i.read(&part, rest)
	if part.Format == CSV && part.Columns == nil {
		return Import{}, fault.Invalid("body", "must begin with a line that names the fields")
	}
	return i.imports.TakeIn(ctx, part)
}

// numbered is a line of a file with its number, and what it comes to.
type numbered struct {
	line    []byte
	number  int64
	product Product
	err     error
}

// read adds lines to the part's products or errors, in their order. They are read by all processors: the database, which does most of the
// work, waits for it.
func (i *Importer) read(part *ImportPart, lines []numbered) {
	var readers sync.WaitGroup
	for some := range slices.Chunk(lines, len(lines)/runtime.GOMAXPROCS(0)+1) {
		readers.Go(func() {
			for n := range some {
				some[n].product, some[n].err = i.product(part, some[n].line)
			}
		})
	}
	readers.Wait()
	for _, l := range lines {
		if l.err != nil {
			part.Errors = append(part.Errors, lineErrors(l.number, l.err)...)
		} else {
			part.Products = append(part.Products, ImportLine{Line: l.number, Product: l.product})
		}
	}
}

// trimEnd takes a line's end off: LF, or CR LF.
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
