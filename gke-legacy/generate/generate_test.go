package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../.."

// copied is what the profile is made of.
var copied = []string{"gke-legacy/services.json", "gke-legacy/base", "gke-legacy/overlays", "terraform/routes.json"}

// TestProfile holds the committed profile against its sources, and sees each planted fault caught with file and words.
func TestProfile(t *testing.T) {
	kustomize := tool(t)
	for _, c := range []struct{ name, file, old, planted, says string }{
		{name: "as committed"},
		{"a caller that the protos don't have", "gke-legacy/base/payment.yaml", "sa/order", "sa/cart", "gke-legacy/base/payment.yaml:"},
		{"an unsafe call that is retried", "gke-legacy/base/payment.yaml", "retries: {attempts: 0}", "retries: {attempts: 2}", "gke-legacy/base/payment.yaml:"},
		{"a route that the edge doesn't have", "terraform/routes.json", "/v1/brands\"", "/v1/makers\"", "gke-legacy/base/edge.yaml:"},
		{"an unknown field of a service", "gke-legacy/services.json", `"cpu": "1", "memory": "512Mi", "timeout": 60}`, `"cpus": "1", "memory": "512Mi", "timeout": 60}`, "gke-legacy/services.json:"},
		{"an image without digest", "gke-legacy/overlays/autopilot/kustomization.yaml", "digest: sha256:" + digestOf(t, "cart"), "newTag: latest", "cart.yaml: larder/cart runs by no digest"},
		{"a digest that nobody has put in", "gke-legacy/overlays/autopilot/kustomization.yaml", digestOf(t, "cart"), strings.Repeat("0", 64), "cart.yaml: larder/cart runs by no digest"},
		{"a missing variable", "gke-legacy/overlays/autopilot/platform.env", "SQL_HOST=10.20.0.3\n", "", "platform.env has no SQL_HOST"},
		{"an account of no project", "gke-legacy/overlays/autopilot/kustomization.yaml", "index: 1", "index: 0", "still to be put in"},
		{"a resource that isn't there", "gke-legacy/base/kustomization.yaml", "cart.yaml", "basket.yaml", "basket.yaml"},
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
			said := faults(t, at, kustomize)
			switch {
			case c.says == "" && said != "":
				t.Error(said)
			case !strings.Contains(said, c.says):
				t.Errorf("said %q, want %q", said, c.says)
			}
		})
	}
}

var (
	digest      = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	placeholder = regexp.MustCompile(`@sha256:(0{64}|f{64})$`)
)

// faults are what is wrong with the profile, a line each.
func faults(t *testing.T, at, kustomize string) string {
	t.Helper()
	if err := run(at, true); err != nil {
		return err.Error()
	}
	command := exec.CommandContext(t.Context(), kustomize, "build", filepath.Join(at, "gke-legacy", "overlays", "autopilot"))
	var failed bytes.Buffer
	command.Stderr = &failed
	rendered, err := command.Output()
	if err != nil {
		return failed.String()
	}
	var found []string
	platform, wanted := map[string]string{}, map[string]string{}
	workloads := 0
	decoder := yaml.NewDecoder(bytes.NewReader(rendered))
	for {
		var object struct {
			Kind     string
			Metadata struct {
				Name        string
				Annotations map[string]string
			}
			Data map[string]string
			Spec struct {
				Template struct {
					Spec struct{ Containers []container }
				}
			}
		}
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			continue // a list where this test looks for none, in another kind
		}
		name := object.Metadata.Name
		if object.Kind == "ConfigMap" {
			platform = object.Data
		}
		if account := object.Metadata.Annotations["iam.gke.io/gcp-service-account"]; strings.Contains(account, "PROJECT") || object.Kind == "ServiceAccount" && !strings.HasPrefix(account, "larder-"+name+"@") {
			found = append(found, "gke-legacy/base/"+name+".yaml: its account is still to be put in: "+account)
		}
		for _, c := range object.Spec.Template.Spec.Containers {
			workloads++
			if !digest.MatchString(c.Image) || placeholder.MatchString(c.Image) {
				found = append(found, "gke-legacy/base/"+name+".yaml: larder/"+name+" runs by no digest: "+c.Image)
			}
			for _, e := range c.Env {
				for _, used := range regexp.MustCompile(`\$\((\w+)\)`).FindAllStringSubmatch(e.Value, -1) {
					wanted[used[1]] = name
				}
			}
		}
	}
	if workloads != 11 {
		found = append(found, "there aren't 11 workloads")
	}
	for _, name := range []string{"GOOGLE_CLOUD_PROJECT", "SERVICE_ACCOUNT_DOMAIN", "SPANNER_DATABASE", "ELASTICSEARCH_URL", "PAYMENT_RETURN_URL"} {
		wanted[name] = ""
	}
	for name := range wanted {
		if platform[name] == "" {
			found = append(found, "gke-legacy/overlays/autopilot/platform.env has no "+name)
		}
	}
	return strings.Join(found, "\n")
}

type container struct {
	Image string
	Env   []struct{ Name, Value string }
}

// tool builds kustomize once.
func tool(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), root+"/tools/build.sh", "kustomize").Output()
	if err != nil {
		t.Fatalf("build kustomize: %v", err)
	}
	// The program is called after its module, whose last part is its version.
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("kustomize's programs: %v, %v", found, err)
	}
	return found[0]
}

func digestOf(t *testing.T, name string) string {
	t.Helper()
	text := readFile(t, root+"/gke-legacy/overlays/autopilot/kustomization.yaml")
	found := regexp.MustCompile(`larder/` + name + `\n    digest: sha256:([0-9a-f]+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no digest", name)
	}
	return found[1]
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
