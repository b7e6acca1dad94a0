package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli" // the standard library has no brotli, which packs style and script a fifth smaller than gzip
)

// static are a site's own files. Each has the sum of its content in its name, so that a browser asks once for it, ever, and never mixes two
// releases. They are packed once, when the process starts.
type static struct {
	prefix string // "/static/"
	urls   map[string]string
	files  map[string]staticFile // by the path behind the prefix
}

type staticFile struct {
	kind               string
	plain, gzip, brotl []byte
}

func newStatic(files fs.FS, prefix string) (*static, error) {
	s := &static{prefix: prefix, urls: map[string]string{}, files: map[string]staticFile{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		file := staticFile{kind: mime.TypeByExtension(path.Ext(name)), plain: text}
		if file.kind == "" {
			return fmt.Errorf("static %s: unknown kind of file", name)
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		_, _ = z.Write(text)
		_ = z.Close()
		file.gzip = bytes.Clone(packed.Bytes())
		packed.Reset()
		b := brotli.NewWriterLevel(&packed, brotli.BestCompression)
		_, _ = b.Write(text)
		_ = b.Close()
		file.brotl = bytes.Clone(packed.Bytes())

		sum := sha256.Sum256(text)
		named := strings.TrimSuffix(name, path.Ext(name)) + "." + hex.EncodeToString(sum[:5]) + path.Ext(name)
		s.files[named], s.urls[name] = file, prefix+named
		return nil
	})
	return s, err
}

// url is where a file is found; a template that names one that isn't there fails.
func (s *static) url(name string) (string, error) {
	if url, ok := s.urls[name]; ok {
		return url, nil
	}
	return "", fmt.Errorf("there is no static file %q", name)
}

// ServeHTTP implements http.Handler.
func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := s.files[strings.TrimPrefix(r.URL.Path, s.prefix)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", file.kind)
	h.Set("Vary", "Accept-Encoding")
	text := file.plain
	switch {
	case accepts(r, "br"):
		h.Set("Content-Encoding", "br")
		text = file.brotl
	case accepts(r, "gzip"):
		h.Set("Content-Encoding", "gzip")
		text = file.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // the reader may have gone
	}
}
