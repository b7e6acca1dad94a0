// Package local has what local runs and tests share with the cloud.
package local

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed pubsub.json
var pubsub []byte

// PubSub is what Pub/Sub is told, here (local/components/pubsub.sh) and on Google Cloud (terraform/pubsub.tf).
type PubSub struct {
	Topics []string `json:"topics"`
	// By function, in lower case, and topic: the types of events that its subscription lets pass; none: all.
	Push map[string]map[string][]string `json:"push"`
	Pull []struct {
		Name  string `json:"name"`
		Topic string `json:"topic"`
	} `json:"pull"`
}

// ReadPubSub reads pubsub.json, as it was when the program was built.
func ReadPubSub() (PubSub, error) {
	var p PubSub
	if err := json.Unmarshal(pubsub, &p); err != nil {
		return PubSub{}, fmt.Errorf("local/pubsub.json: %w", err)
	}
	return p, nil
}

// Filter is a subscription's on Google Cloud that lets these types pass; none: all, without a filter.
func Filter(types []string) string {
	pass := make([]string, len(types))
	for i, kind := range types {
		pass[i] = `attributes."ce-type" = "` + kind + `"`
	}
	return strings.Join(pass, " OR ")
}
