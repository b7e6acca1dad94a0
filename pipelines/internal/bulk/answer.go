package bulk

import (
	"encoding/json"
	"fmt"
	"net/http"
)

type outcome string

const (
	written    outcome = "written"
	superseded outcome = "superseded"
	refused    outcome = "refused"
	retry      outcome = "retry"
	gone       outcome = "gone"
)

// item is Elasticsearch's answer to one document of a bulk request.
type item struct {
	Status int `json:"status"`
	Error  struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"error"`
}

func (i item) detail() string {
	return fmt.Sprintf("%d %s: %s", i.Status, i.Error.Type, i.Error.Reason)
}

func (i item) outcome() outcome {
	switch {
	case i.Status >= 200 && i.Status < 300:
		return written
	case i.Status == http.StatusConflict && i.Error.Type == "version_conflict_engine_exception":
		return superseded
	case i.Status == http.StatusNotFound:
		return gone
	case transient(i.Status) || i.Status == http.StatusConflict:
		return retry
	case i.Status >= 400 && i.Status < 500:
		return refused
	}
	return retry // no status known to HTTP: rather twice than never
}

// transient tells the refusals that end without a change to the document. 401 and 403 are among them: a wrong
// credential or an index blocked for writes is somebody's mistake, not the document's.
func transient(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// read returns the items of a bulk answer, and an error unless there is one for each document sent.
func read(answer []byte, sent int) ([]item, error) {
	var a struct {
		Items []struct {
			Index *item `json:"index"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("bulk answer: %w", err)
	}
	if len(a.Items) != sent {
		return nil, fmt.Errorf("bulk answer has %d items, %d were sent", len(a.Items), sent)
	}
	items := make([]item, sent)
	for i, it := range a.Items {
		if it.Index == nil {
			return nil, fmt.Errorf("bulk answer lacks the status of item %d", i)
		}
		items[i] = *it.Index
	}
	return items, nil
}

// requestError is a refusal of a whole request.
type requestError struct {
	status int
	answer string
}

func (e *requestError) Error() string {
	return fmt.Sprintf("request refused: %d %s", e.status, e.answer)
}

// divisible reports whether a smaller request could fare better.
func (e *requestError) divisible() bool {
	return e.status == http.StatusBadRequest || e.status == http.StatusRequestEntityTooLarge
}
