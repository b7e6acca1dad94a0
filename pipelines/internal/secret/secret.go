// Package secret reads settings that nobody should see where a pipeline's other settings are seen: Dataflow shows a job's
// parameters and its graph to whoever may look at the job. So both hold the name of a secret, and each worker reads the secret.
package secret

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/api/secretmanager/v1"
)

const readLimit = 10 * time.Second

// Check returns an error if a setting doesn't name a secret: told of by its variable, and without the setting.
func Check(variable, setting string) error {
	if !named(setting) {
		return fmt.Errorf("%s has to name a secret, projects/<project>/secrets/<secret>/versions/<version>: on Dataflow everybody who sees the job sees its settings", variable)
	}
	return nil
}

func named(setting string) bool { return strings.HasPrefix(setting, "projects/") }

// Read returns what a setting stands for: the secret, of Google's Secret Manager, if it is the name of one's version,
// "projects/<project>/secrets/<secret>/versions/<version>", else the setting itself. Errors don't hold the secret.
func Read(ctx context.Context, setting string, options ...option.ClientOption) (string, error) {
	if !named(setting) {
		return setting, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	client, err := secretmanager.NewService(ctx, options...)
	if err != nil {
		return "", fmt.Errorf("connect to Secret Manager: %w", err)
	}
	version, err := client.Projects.Secrets.Versions.Access(setting).Context(ctx).Do()
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", setting, err)
	}
	value, err := base64.StdEncoding.DecodeString(version.Payload.Data)
	if err != nil {
		return "", fmt.Errorf("read secret %s: it isn't base64", setting)
	}
	return strings.TrimSpace(string(value)), nil
}
