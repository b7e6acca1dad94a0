package product

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"mime"
	"net/http"
	"time"

	"google.golang.org/grpc"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
)

// How much of a file one part takes: what one transaction does well by, and far below what a message may hold.
const (
	partLines = 500
	partBytes = 256 << 10
)

// patience is how long a file's next part may take on its way.
const patience = time.Minute

// intake brings a file in, part by part, by these two methods of the API.
type intake struct {
	look func(context.Context, *productpb.GetImportRequest) (*productpb.Import, error)
	take func(context.Context, *productpb.ImportPartRequest) (*productpb.Import, error)
}

// ImportPattern is where ImportHandler serves, before the gateway.
const ImportPattern = "POST /v1/products:import"

// ImportHandler serves ImportPattern, whose body may be longer than a message. It does all of its work by calls of
// GetImport and ImportPart, so that each part meets the interceptors: who may import, and how long a part may take, is theirs.
func ImportHandler(conn grpc.ClientConnInterface) http.Handler {
	client := productpb.NewProductServiceClient(conn)
	in := intake{
		look: func(ctx context.Context, req *productpb.GetImportRequest) (*productpb.Import, error) {
			answer, err := client.GetImport(ctx, req)
			return answer, fault.FromRPC(err)
		},
		take: func(ctx context.Context, req *productpb.ImportPartRequest) (*productpb.Import, error) {
			answer, err := client.ImportPart(ctx, req)
			return answer, fault.FromRPC(err)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done, err := in.request(serve.CallContext(r), w, r) //nolint:contextcheck // it is made of the request
		if err != nil {
			serve.WriteError(w, r, err)
			return
		}
		serve.WriteMessage(w, r, done)
	})
}

func (in intake) request(ctx context.Context, w http.ResponseWriter, r *http.Request) (*productpb.Import, error) {
	if err := serve.NoQuery(r); err != nil {
		return nil, err
	}
	id, err := serve.IdempotencyKeyOf(r)
	if err != nil {
		return nil, err
	}
	return in.file(ctx, id, r.Header.Get("Content-Type"), patient{r.Body, http.NewResponseController(w)}, max(r.ContentLength, 0))
}

// patient is a body of which something comes again and again.
type patient struct {
	body       io.Reader
	controller *http.ResponseController
}

func (p patient) Read(b []byte) (int, error) {
	// Of a connection that can't have a deadline there is none in our servers; the read itself tells of any other fault.
	_ = p.controller.SetReadDeadline(time.Now().Add(patience))
	return p.body.Read(b)
}

func formatOf(contentType string) (productpb.ImportPartRequest_Format, error) {
	switch kind, _, _ := mime.ParseMediaType(contentType); kind {
	case "application/x-ndjson":
		return productpb.ImportPartRequest_NDJSON, nil
	case "text/csv":
		return productpb.ImportPartRequest_CSV, nil
	default:
		return 0, fault.UnsupportedMediaType.New("the file must be application/x-ndjson or text/csv")
	}
}

// file brings a file in from where its import stands. What is done of it is read past, and has to be the same. Who may not import is
// refused first of all. size is the file's, bytes, 0 if it isn't known.
func (in intake) file(ctx context.Context, id, contentType string, body io.Reader, size int64) (*productpb.Import, error) {
	begun, err := in.look(ctx, &productpb.GetImportRequest{ImportId: id})
	if err != nil && !fault.Is(err, fault.ImportNotFound) {
		return nil, err
	}
	format, err := formatOf(contentType)
	if err != nil {
		return nil, err
	}
	file := newLines(body)
	if err := file.pass(begun); err != nil {
		return nil, err
	}
	for last := begun.GetState() == productpb.Import_DONE; !last; {
		part := &productpb.ImportPartRequest{ImportId: id, Format: format, AfterLine: file.count, SizeBytes: size}
		part.Lines, last, err = file.part()
		if err != nil {
			return nil, err
		}
		part.Digest, part.Last, part.Bytes = file.digest.Sum(nil), last, file.bytes
		if _, err := in.take(ctx, part); err != nil {
			return nil, err
		}
	}
	return in.look(ctx, &productpb.GetImportRequest{ImportId: id})
}

// lines reads a file line by line and knows the digest of what it has read.
type lines struct {
	reader *bufio.Reader
	digest hash.Hash
	count  int64
	bytes  int64
	line   []byte
}

func newLines(body io.Reader) *lines {
	return &lines{reader: bufio.NewReaderSize(body, 64<<10), digest: sha256.New()}
}

// next reads a line with its end; of one that is too long, as much as shows that it is. io.EOF: there is none. A line that the body
// is cut off in is an error and no line.
func (l *lines) next() ([]byte, error) {
	l.line = l.line[:0]
	for {
		piece, err := l.reader.ReadSlice('\n')
		l.digest.Write(piece)
		l.bytes += int64(len(piece))
		l.line = append(l.line, piece[:min(len(piece), max(0, MaxLine+2-len(l.line)))]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.line) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fault.Cancelled.New("the file was cut off").WithCause(err)
		}
		l.count++
		if !bytes.HasSuffix(l.line, []byte("\n")) {
			l.line = append(l.line, '\n')
		}
		return l.line, nil
	}
}

// part reads the next lines, and tells whether the file ends with them.
func (l *lines) part() (part []byte, last bool, err error) {
	for n := 0; n < partLines && len(part) < partBytes; n++ {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return part, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		part = append(part, line...)
	}
	return part, false, nil
}

// pass reads past the lines that are done, and past all of a file that is done. Errors: IDEMPOTENCY_KEY_REUSED.
func (l *lines) pass(begun *productpb.Import) error {
	another := fault.IdempotencyKeyReused.New("the Idempotency-Key was used for another file")
	for l.count < begun.GetLines() {
		if _, err := l.next(); errors.Is(err, io.EOF) {
			return another
		} else if err != nil {
			return err
		}
	}
	if begun != nil && !bytes.Equal(l.digest.Sum(nil), begun.GetDigest()) {
		return another
	}
	if begun.GetState() != productpb.Import_DONE {
		return nil
	}
	switch _, err := l.next(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return another
	}
}
