// Package secret reads a secret of Google's Secret Manager. A pipeline gets the secret's name, not its value: what a pipeline is given,
// Dataflow shows to everybody who may look at jobs.
package secret

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"google.golang.org/api/option"
	secretmanager "google.golang.org/api/secretmanager/v1"
)

// limit bounds the question; a worker asks once.
const limit = 30 * time.Second

// Value is the value itself, or, for "projects/p/secrets/s/versions/v", that secret's.
func Value(ctx context.Context, value string, options ...option.ClientOption) (string, error) {
	if !strings.HasPrefix(value, "projects/") {
		return value, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	service, err := secretmanager.NewService(ctx, options...)
	if err != nil {
		return "", fmt.Errorf("connect to Secret Manager: %w", err)
	}
	version, err := service.Projects.Secrets.Versions.Access(value).Context(ctx).Do()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", value, err)
	}
	data, err := base64.StdEncoding.DecodeString(version.Payload.Data)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", value, err)
	}
	return strings.TrimSpace(string(data)), nil
}
