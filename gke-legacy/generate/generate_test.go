package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// copied is what the generated manifests are made of, and they.
var copied = []string{"gke-legacy/services.json", "gke-legacy/base", "gke-legacy/overlays", "terraform/routes.json"}

// TestProfile holds the committed manifests against their sources, and sees each planted fault caught with file and words.
func TestProfile(t *testing.T) {
	for _, c := range []struct{ name, file, old, planted, says string }{
		{name: "as committed"},
		{"a caller that the protos don't have", "gke-legacy/base/payment.yaml", "sa/order", "sa/cart", "gke-legacy/base/payment.yaml:"},
		{"an unsafe call that is retried", "gke-legacy/base/payment.yaml", "retries: {attempts: 0}", "retries: {attempts: 2}", "gke-legacy/base/payment.yaml:"},
		{"a route that the edge doesn't have", "terraform/routes.json", "/v1/brands\"", "/v1/makers\"", "gke-legacy/base/edge.yaml:"},
		{"an unknown field of a service", "gke-legacy/services.json", `"cpu": "1", "memory": "512Mi", "timeout": 60}`, `"cpus": "1", "memory": "512Mi", "timeout": 60}`, "gke-legacy/services.json:"},
		{"a service that Chaos Mesh doesn't kill", "gke-legacy/overlays/standard-chaos/kill.yaml", "        - cart\n", "", "gke-legacy/overlays/standard-chaos/kill.yaml:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := t.TempDir()
			for _, name := range copied {
				copyTo(t, filepath.Join(root, name), filepath.Join(at, name))
			}
			if c.file != "" {
				text := readFile(t, filepath.Join(at, c.file))
				if strings.Count(text, c.old) == 0 {
					t.Fatalf("%s has no %q to plant a fault in", c.file, c.old)
				}
				writeFile(t, filepath.Join(at, c.file), strings.Replace(text, c.old, c.planted, 1))
			}
			said := ""
			if err := run(at, true); err != nil {
				said = err.Error()
			}
			switch {
			case c.says == "" && said != "":
				t.Error(said)
			case !strings.Contains(said, c.says):
				t.Errorf("said %q, want %q", said, c.says)
			}
		})
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	if info, err := os.Stat(from); err != nil {
		t.Fatal(err)
	} else if info.IsDir() {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		return
	}
	writeFile(t, to, readFile(t, from))
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
