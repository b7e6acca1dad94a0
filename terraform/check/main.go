// Command check holds terraform/ against what must be true of it, with the real terraform and without a cloud: format, validation, its own
// tests, and a plan of each environment, which the rules of rules.go go through. Google's providers are stood in for by their schemas
// (tools/terraform-provider), so what only they know, such as the values that an argument takes, isn't checked here.
//
//	go run ./terraform/check              prints what is wrong, and exits with 1
//	go run ./terraform/check -faults      plants faults in the copy, and sees each found
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// version is of the providers whose schemas are served.
const version = "6.50.0"

// copied is what the configuration reads, from the repository's root.
var copied = []string{
	"terraform", "local/pubsub.json", "local/schedule.json", "local/components/debezium.properties", "internal/spannerdb/schema.sql",
	"pipelines/productindex/metadata.json", "cloudbuild.yaml", "delivery/pull-request.yaml",
}

func main() {
	planting := flag.Bool("faults", false, "plant faults, and see each found")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := check
	if *planting {
		run = checkFaults
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check is the whole check of the repository as it is.
func check(ctx context.Context) error {
	w, err := newWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.remove()
	for _, arguments := range [][]string{
		{"fmt", "-check", "-diff", "-recursive"},
		{"init", "-input=false"},
		{"validate"},
	} {
		if err := w.terraform(ctx, arguments...); err != nil {
			return err
		}
	}
	var together errgroup.Group
	found := make([][]string, len(environments))
	for i, environment := range environments {
		together.Go(func() error {
			planned, err := w.plan(ctx, environment)
			if err == nil {
				found[i] = broken(environment, planned, ".")
			}
			return err
		})
	}
	err = together.Wait()
	var all []string
	for _, faults := range found {
		all = append(all, faults...)
	}
	if len(all) > 0 {
		err = errors.Join(err, errors.New(strings.Join(all, "\n")))
	}
	if err != nil {
		return err
	}
	return w.terraform(ctx, "test")
}

// environments are terraform/environments/*.tfvars.
var environments = []string{"dev", "prod"}

// workspace is a copy of the configuration, where terraform finds the schemas.
type workspace struct {
	folder, config string
}

func newWorkspace(ctx context.Context) (*workspace, error) {
	if _, err := exec.LookPath("terraform"); err != nil {
		return nil, errors.New("missing: terraform 1.11 or newer (https://developer.hashicorp.com/terraform/install)")
	}
	built, err := exec.CommandContext(ctx, "tools/build.sh", "terraform-provider").Output()
	if err != nil {
		return nil, fmt.Errorf("build the schemas' server: %w", err)
	}
	folder, err := os.MkdirTemp("", "terraform-check")
	if err != nil {
		return nil, err
	}
	w := &workspace{folder: folder, config: filepath.Join(folder, "terraform.rc")}
	if err := w.fill(filepath.Join(strings.TrimSpace(string(built)), "terraform-provider")); err != nil {
		w.remove()
		return nil, err
	}
	return w, nil
}

func (w *workspace) fill(server string) error {
	mirror := filepath.Join(w.folder, "mirror")
	for _, name := range []string{"google", "google-beta"} {
		// The one program serves whichever schema it is called by.
		at := filepath.Join(mirror, "registry.terraform.io", "hashicorp", name, version, "linux_amd64")
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := copyFile(server, filepath.Join(at, "terraform-provider-"+name+"_v"+version), 0o755); err != nil {
			return err
		}
	}
	config := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	if err := os.WriteFile(w.config, []byte(config), 0o600); err != nil {
		return err
	}
	for _, root := range copied {
		if err := w.copyTree(root); err != nil {
			return err
		}
	}
	// The state lies in a bucket, which there is none of here.
	return os.WriteFile(w.path("terraform/backend_override.tf"), []byte("terraform {\n  backend \"local\" {}\n}\n"), 0o600)
}

func (w *workspace) copyTree(root string) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".terraform" || name == "terraform/check"):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(w.path(name), 0o755)
		}
		if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
			return err
		}
		return copyFile(name, w.path(name), 0o600)
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, mode)
}

// path of a file of the repository in the copy.
func (w *workspace) path(name string) string { return filepath.Join(w.folder, "repository", name) }

func (w *workspace) remove() { _ = os.RemoveAll(w.folder) } // what is left lies among temporary files

// terraform runs a command. Its error has what terraform says.
func (w *workspace) terraform(ctx context.Context, arguments ...string) error {
	_, err := w.output(ctx, arguments...)
	return err
}

func (w *workspace) output(ctx context.Context, arguments ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "terraform", arguments...)
	command.Dir = w.path("terraform")
	command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+w.config, "TF_CLI_ARGS=-no-color", "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("terraform %s: %w\n%s%s", arguments[0], err, tail(out.String()), said.String())
	}
	return out.Bytes(), nil
}

// tail is what a person reads of a long output: its end.
func tail(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// plan is what terraform would make in an empty project.
func (w *workspace) plan(ctx context.Context, environment string) ([]resource, error) {
	file := filepath.Join(w.folder, environment+".plan")
	err := w.terraform(ctx, "plan", "-input=false", "-lock=false", "-refresh=false", "-out="+file,
		"-var=project_id=larder-check", "-var-file=environments/"+environment+".tfvars",
		"-var=repository=projects/larder-check/locations/europe-west2/connections/host/repositories/larder", `-var=triggers=["pull-request","main","tag"]`)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", environment, err)
	}
	text, err := w.output(ctx, "show", "-json", file)
	if err != nil {
		return nil, err
	}
	var shown struct {
		Planned struct {
			Root module `json:"root_module"`
		} `json:"planned_values"`
	}
	if err := json.Unmarshal(text, &shown); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	return shown.Planned.Root.all(), nil
}
