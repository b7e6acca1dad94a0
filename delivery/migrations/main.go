// Command migrations shows that the release before this one goes on working when this one's tables are there already: the two run at the same
// time while a release rolls out, and the older alone after it was rolled back. delivery/previous names its commit.
//
//	go run ./delivery/migrations              runs the earlier release's store tests on this one's tables
//	go run ./delivery/migrations -faults      plants changes that break it, and sees each found
//
// Three things are held: no migration that was released has changed, Spanner's schema is only added to, and the earlier release's own tests
// pass. They need PostgreSQL, Spanner's emulator and Redis, which `make check-migrations` starts.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"larder.dev/internal/spannerdb"
)

const (
	// folder is where the earlier release lies, below what git ignores: Go's cache knows it the next time.
	folder = ".larder/previous"
	schema = "internal/spannerdb/schema.sql"
)

// migrations are PostgreSQL's.
var migrations = []string{"internal/user/postgres/migrations", "internal/product/postgres/migrations"}

// stores are the packages whose tests read and write tables.
var stores = []string{"./internal/user/...", "./internal/product/postgres", "./internal/order/...", "./internal/payment/...", "./internal/outbox/postgres"}

func main() {
	planting := flag.Bool("faults", false, "plant faults, and see each found")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	began := time.Now()
	run := func(ctx context.Context) (string, error) {
		return "the release before works on these tables", check(ctx, stores)
	}
	if *planting {
		run = checkFaults
	}
	says, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "migrations:", err)
		os.Exit(1)
	}
	fmt.Printf("migrations: %s (%.0f s)\n", says, time.Since(began).Seconds())
}

func check(ctx context.Context, packages []string) error {
	if err := layOut(ctx); err != nil {
		return err
	}
	if err := errors.Join(keepReleased(), keepAdding()); err != nil {
		return err
	}
	if err := layOver(); err != nil {
		return err
	}
	return test(ctx, packages)
}

// layOut writes the earlier release's files.
func layOut(ctx context.Context) error {
	text, err := os.ReadFile("delivery/previous")
	if err != nil {
		return err
	}
	commit := strings.TrimSpace(string(text))
	if err := exec.CommandContext(ctx, "git", "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		return fmt.Errorf("this clone doesn't have the commit %s of delivery/previous: git fetch --depth=1 origin %s", commit, commit)
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		return err
	}
	archive := exec.CommandContext(ctx, "git", "archive", commit)
	extract := exec.CommandContext(ctx, "tar", "--extract", "--directory", folder)
	var said bytes.Buffer
	archive.Stderr, extract.Stderr = &said, &said
	if extract.Stdin, err = archive.StdoutPipe(); err != nil {
		return err
	}
	if err := extract.Start(); err != nil {
		return err
	}
	if err := errors.Join(archive.Run(), extract.Wait()); err != nil {
		return fmt.Errorf("lay out %s: %w\n%s", commit, err, said.String())
	}
	return nil
}

// keepReleased: a migration that was released is what databases have. Its text never changes, and what comes after it has a higher number.
func keepReleased() error {
	var broken []error
	for _, at := range migrations {
		released, err := filepath.Glob(filepath.Join(folder, at, "*.sql"))
		if err != nil {
			return err
		}
		if len(released) == 0 {
			return fmt.Errorf("the release before has no migrations in %s", at)
		}
		was := map[string]bool{}
		last := ""
		for _, file := range released {
			name := filepath.Base(file)
			was[name], last = true, name
			before, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if now, err := os.ReadFile(filepath.Join(at, name)); err != nil || !bytes.Equal(before, now) {
				broken = append(broken, fmt.Errorf("%s was released, and isn't what it was: put it back, and change by a new migration", filepath.Join(at, name)))
			}
		}
		all, err := filepath.Glob(filepath.Join(at, "*.sql"))
		if err != nil {
			return err
		}
		for _, file := range all {
			if name := filepath.Base(file); !was[name] && name < last {
				broken = append(broken, fmt.Errorf("%s comes before %s, which was released: give it a higher number", file, last))
			}
		}
	}
	return errors.Join(broken...)
}

// keepAdding: what the job migrate would do in Spanner, it can.
func keepAdding() error {
	before, err := os.ReadFile(filepath.Join(folder, schema))
	if err != nil {
		return err
	}
	now, err := os.ReadFile(schema)
	if err != nil {
		return err
	}
	added, err := spannerdb.Additions(spannerdb.SplitStatements(string(before)), spannerdb.SplitStatements(string(now)))
	if err != nil {
		return fmt.Errorf("%s: %w", schema, err)
	}
	fmt.Printf("migrations: %d statements are new in Spanner\n", len(added))
	return nil
}

// layOver gives the earlier release this one's tables: its tests make their databases by these.
func layOver() error {
	files := []string{schema}
	for _, at := range migrations {
		more, err := filepath.Glob(filepath.Join(at, "*.sql"))
		if err != nil {
			return err
		}
		files = append(files, more...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// test runs the earlier release's tests. Its error has what they say.
func test(ctx context.Context, packages []string) error {
	command := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-p", "2", "-timeout", "5m"}, packages...)...)
	command.Dir = folder
	said, err := command.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(said)), "\n")
		return fmt.Errorf("the release before fails on these tables: %w\n%s", err, strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
	if !bytes.Contains(said, []byte("ok  \t")) {
		return fmt.Errorf("no test of the release before was run:\n%s", said)
	}
	return nil
}

// plants are changes of the tables that the release before can't live with. They are made to what was laid over, as if they were this release's.
var plants = []struct {
	what, file, old, new string
	packages             []string
	says                 string
}{
	{"a column dropped in PostgreSQL", "internal/product/postgres/migrations/99999_planted.sql", "", "-- +goose Up\nalter table products.products drop column brand_id;\n",
		[]string{"./internal/product/postgres"}, "brand_id"},
	{"a column dropped in Spanner", schema, "NULL until the order is packed.\n  Receipt JSON,\n", "NULL until the order is packed.\n",
		[]string{"./internal/order/spanner"}, "Receipt"},
}

// released are changes of what the release before had, and what must be said of this one's files then.
var released = []struct {
	what, file string
	change     func(text string) (string, bool) // whether the file stays
	keep       func() error
	says       string
}{
	{"a released migration edited", "internal/user/postgres/migrations/00001_accounts.sql",
		func(text string) (string, bool) { return text + "\n-- edited\n", true }, keepReleased, "00001_accounts.sql was released, and isn't what it was"},
	{"a migration below those that were released", "internal/user/postgres/migrations/00001_accounts.sql",
		func(string) (string, bool) { return "", false }, keepReleased, "00001_accounts.sql comes before"},
	{"a column that Spanner's schema doesn't declare any more", schema,
		func(text string) (string, bool) {
			return strings.Replace(text, "  Receipt JSON,\n", "  Receipt JSON,\n  Gone STRING(64),\n", 1), true
		}, keepAdding, "Gone"},
}

// missedReleased plants each of them in turn.
func missedReleased() (missed []error) {
	for _, p := range released {
		file := filepath.Join(folder, p.file)
		before, err := os.ReadFile(file)
		if err != nil {
			return append(missed, err)
		}
		text, stays := p.change(string(before))
		if stays {
			err = os.WriteFile(file, []byte(text), 0o600)
		} else {
			err = os.Remove(file)
		}
		if err != nil {
			return append(missed, err)
		}
		if err := p.keep(); err == nil || !strings.Contains(err.Error(), p.says) {
			missed = append(missed, fmt.Errorf("%s: nothing says %q: %w", p.what, p.says, err))
		}
		if err := os.WriteFile(file, before, 0o600); err != nil {
			return append(missed, err)
		}
	}
	return missed
}

func checkFaults(ctx context.Context) (string, error) {
	if err := layOut(ctx); err != nil {
		return "", err
	}
	missed := missedReleased()
	for _, p := range plants {
		if err := layOver(); err != nil {
			return "", err
		}
		file := filepath.Join(folder, p.file)
		text := []byte(p.new)
		if p.old != "" {
			before, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			if text = bytes.Replace(before, []byte(p.old), []byte(p.new), 1); bytes.Equal(text, before) {
				return "", fmt.Errorf("%s has no place for %s", p.file, p.what)
			}
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", err
		}
		err := test(ctx, p.packages)
		if err == nil || !strings.Contains(err.Error(), p.says) {
			missed = append(missed, fmt.Errorf("%s: nothing says %q: %w", p.what, p.says, err))
		}
		if p.old == "" {
			if err := os.Remove(file); err != nil {
				return "", err
			}
		}
	}
	planted := len(released) + len(plants)
	return fmt.Sprintf("%d of %d planted faults caught", planted-len(missed), planted), errors.Join(missed...)
}
