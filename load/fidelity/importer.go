package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// importer sends files to the catalogue's API, as a merchandiser.
type importer struct {
	url, token string
	number     int
}

const importedLines = 60

// errAgain: the same request can be sent again.
var errAgain = errors.New("not now")

func openImporter(ctx context.Context, p *platform) (*importer, error) {
	session := struct {
		Token string `json:"access_token"`
	}{}
	body, err := json.Marshal(map[string]string{"email": "merchandiser@larder.example", "password": "larder-demo-1"})
	if err != nil {
		return nil, err
	}
	im := &importer{url: "http://" + p.env["PRODUCT_ADDR"]}
	if err := im.post(ctx, "http://"+p.env["USER_ADDR"]+"/v1/sessions", "application/json", "", body, &session); err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	im.token = session.Token
	return im, nil
}

func (im *importer) post(ctx context.Context, url, kind, key string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Authorization", "Bearer "+im.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusGatewayTimeout {
		return fmt.Errorf("%w: POST %s: %d %.500s", errAgain, url, res.StatusCode, answer)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %d %.500s", url, res.StatusCode, answer)
	}
	return json.Unmarshal(answer, into)
}

// importLines imports a file of products: half of them new, half of them those of the file before, with other names.
func (s *shelf) importLines(ctx context.Context) error {
	im := s.importer
	im.number++
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	_ = out.Write([]string{"product_id", "name", "category_id", "size", "tags", "status", "price.minor_units", "store_ids"})
	var lines []*product
	for i := range importedLines {
		number := im.number*importedLines/2 + i
		p := &product{
			id: fmt.Sprintf("%simport-%d", prefix, number), name: fmt.Sprintf("Import %d of %d", number, im.number),
			category: fmt.Sprintf("%scategory-%d", prefix, number%(roots+leaves)), size: "200 g", tags: []string{"vegan"}, status: "active",
			everyday: int64(100 + im.number), prices: map[string]int64{}, available: map[string]bool{},
			sold: map[string]bool{stores[0]: true, stores[2]: true},
		}
		lines = append(lines, p)
		_ = out.Write([]string{p.id, p.name, p.category, p.size, "vegan", "ACTIVE", fmt.Sprint(p.everyday), stores[0] + " " + stores[2]})
	}
	out.Flush()
	key := fmt.Sprintf("fidelity-%d", im.number)
	var done struct {
		State, Failed string
		Errors        []json.RawMessage
	}
	// A request that took too long, for the locks of others, is sent again under its key, and goes on where it stopped.
	const tries = 5
	var err error
	for range tries {
		err = im.post(ctx, im.url+"/v1/products:import", "text/csv", key, text.Bytes(), &done)
		if err == nil || !errors.Is(err, errAgain) {
			break
		}
	}
	if err != nil {
		return err
	}
	if done.State != "DONE" || done.Failed != "0" {
		return fmt.Errorf("import %s is %s, %s lines failed: %s", key, done.State, done.Failed, done.Errors)
	}
	s.journal.put(lines...)
	s.imports.Add(1)
	s.changes.Add(importedLines)
	return nil
}
