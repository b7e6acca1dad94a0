// Command operate does long work of the platform by its API, in the name of one of the seed's accounts, and tells how far it is:
//
//	operate rebuild STORE             loads a store's virtual stock anew
//	operate import [-key KEY] FILE    brings a file of products in, .csv or .ndjson; the same key and file go on where it was cut off
//
// Exit codes: 0; 1 something failed; 2 the command line is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	"larder.dev/api/client"
	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/progress"
	"larder.dev/internal/serve"
)

type config struct {
	API      string `env:"API_URL,required"`
	Password string `env:"SEED_PASSWORD" envDefault:"larder-demo-1"`
}

const usage = `usage:
  operate rebuild STORE
  operate import [-key KEY] FILE
`

var errUsage = errors.New("the command line is wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "operate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("operate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	key := flags.String("key", "", "")
	if len(arguments) < 2 || flags.Parse(arguments[1:]) != nil || flags.NArg() != 1 {
		return errUsage
	}
	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	api := client.New(c.API)
	api.HTTP.Timeout = 0 // a file takes as long as it takes
	switch arguments[0] {
	case "rebuild":
		if _, err := api.SignIn(ctx, "operator@larder.example", c.Password); err != nil {
			return err
		}
		return rebuild(ctx, api, flags.Arg(0), os.Stderr)
	case "import":
		if _, err := api.SignIn(ctx, "merchandiser@larder.example", c.Password); err != nil {
			return err
		}
		return bringIn(ctx, api, *key, flags.Arg(0), os.Stderr)
	default:
		return errUsage
	}
}

// look is the time between two looks at how far a rebuild is.
const look = 200 * time.Millisecond

// rebuild loads a store's stock anew. While the ledger is summed nobody knows how many products there are: the bar begins behind that.
func rebuild(ctx context.Context, api *client.Client, store string, out *os.File) error {
	type answer struct {
		*stockpb.RebuildStockResponse
		err error
	}
	done := make(chan answer, 1)
	go func() {
		rebuilt, err := api.RebuildStock(ctx, &stockpb.RebuildStockRequest{StoreId: store})
		done <- answer{rebuilt, err}
	}()
	var bar *progress.Bar
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case rebuilt := <-done:
			if rebuilt.err != nil {
				return fmt.Errorf("rebuild %s: %w", store, rebuilt.err)
			}
			if bar == nil {
				bar = progress.Start(out, "rebuild", rebuilt.GetProducts())
			}
			bar.Set(rebuilt.GetProducts())
			bar.End()
			_, err := fmt.Fprintf(out, "%s has %d products under the epoch of %s\n", store, rebuilt.GetProducts(), rebuilt.GetEpoch().AsTime().Format(time.RFC3339Nano))
			return err
		case <-tick.C:
			status, err := api.GetStockStatus(ctx, &stockpb.GetStockStatusRequest{StoreId: store})
			if err != nil { // the rebuild's own answer decides
				continue
			}
			under := status.GetRebuildUnderWay()
			if bar == nil && under.GetProducts() > 0 {
				bar = progress.Start(out, "rebuild", under.GetProducts())
			}
			if bar != nil {
				bar.Set(under.GetLoaded())
			}
		}
	}
}

// kinds are the content types of files that can be brought in, by their names' ends.
var kinds = map[string]string{".csv": "text/csv", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson"}

// bringIn imports a file. What the server has read of it, it has taken in but for a part of 500 lines.
func bringIn(ctx context.Context, api *client.Client, key, name string, out *os.File) error {
	kind, ok := kinds[filepath.Ext(name)]
	if !ok {
		return fmt.Errorf("%s: a file is .csv or .ndjson", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if key == "" {
		key = uuid.NewString()
	}
	_, _ = fmt.Fprintf(out, "import %s; cut off, it goes on with -key %[1]s\n", key)
	bar := progress.Start(out, "bytes", info.Size())
	done, err := api.ImportProducts(ctx, key, kind, told{file, bar, info.Size()})
	bar.End()
	if err != nil {
		return fmt.Errorf("import %s: %w", key, err)
	}
	_, err = fmt.Fprintln(out, summary(done))
	return err
}

// told is a file that tells how much of it has been read.
type told struct {
	file *os.File
	bar  *progress.Bar
	size int64
}

// Remaining lets the client tell the API how large the file is.
func (t told) Remaining() int64 { return t.size }

func (t told) Read(into []byte) (int, error) {
	n, err := t.file.Read(into)
	t.bar.Add(int64(n))
	return n, err
}

func summary(done *productpb.Import) string {
	text := fmt.Sprintf("%d lines: %d products added, %d changed, %d as they were, %d lines refused",
		done.GetLines(), done.GetCreated(), done.GetChanged(), done.GetUnchanged(), done.GetFailed())
	const most = 20
	for i, e := range done.GetErrors() {
		if i == most {
			return text + "\n  and more; GET /v1/imports/" + done.GetImportId() + " has them"
		}
		text += fmt.Sprintf("\n  line %d: %s %s: %s", e.GetLine(), e.GetReason(), e.GetField(), e.GetDescription())
	}
	return text
}
