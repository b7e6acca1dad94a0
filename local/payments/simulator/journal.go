package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// journal is an append-only file of changes, one JSON line each. A line is written by one call before its change can be
// seen, so a process that dies at any moment leaves whole lines and at most one torn one at the end, whose change nobody saw.
//
// When it has grown to four times what it held after its last rewriting, it is rewritten.
type journal struct {
	path string
	file *os.File
	lock *os.File
	size int64
	base int64 // size after the last rewriting
}

// minRewrite is the size below which a journal is left alone, bytes.
var minRewrite int64 = 64 << 20

// openJournal replays the file into st, rewrites it compactly and opens it for appending. Two processes can't hold it.
func openJournal(path string, st *state, now time.Time) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is held by another process: %w", path, err), lock.Close())
	}
	j := &journal{path: path, lock: lock}
	if err := replay(path, st); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := j.rewrite(st.snapshot(now)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return j, nil
}

func replay(path string, st *state) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what follows the last newline was never acknowledged
		}
		if err != nil {
			return err
		}
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return fmt.Errorf("line %d of %s: %w", n, path, err)
		}
		st.apply(&c)
	}
}

// rewrite replaces the file in one step, so that a death in the middle leaves the old one.
func (j *journal) rewrite(changes []*change) error {
	tmp, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(tmp, 1<<20)
	enc := json.NewEncoder(w)
	for _, c := range changes {
		if err := enc.Encode(c); err != nil {
			return errors.Join(err, tmp.Close())
		}
	}
	if err := errors.Join(w.Flush(), tmp.Sync()); err != nil {
		return errors.Join(err, tmp.Close())
	}
	info, err := tmp.Stat()
	if err == nil {
		err = os.Rename(j.path+".new", j.path)
	}
	if err != nil {
		return errors.Join(err, tmp.Close())
	}
	if j.file != nil {
		_ = j.file.Close() // nothing of it is needed any more
	}
	j.file, j.size, j.base = tmp, info.Size(), info.Size()
	return nil
}

// grown reports that rewriting would give back most of the file.
func (j *journal) grown() bool { return j.size > max(minRewrite, 4*j.base) }

// append writes one change. After an error the file is as before.
func (j *journal) append(c *change) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	n, err := j.file.Write(append(line, '\n'))
	if err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(n)
	return nil
}

func (j *journal) close() error { return errors.Join(j.file.Close(), j.lock.Close()) }
