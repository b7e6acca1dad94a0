// Command check holds the GKE profile against what must be true of it, without a cloud. Each overlay is built by kustomize and then read by
// three: rules of our own; a real kube-apiserver with the resources of Istio, Chaos Mesh, k6's operator and Elastic's, which is asked to
// apply it and to change nothing (a server-side dry run); and istioctl analyze. What they say is printed with the file and line of what is wrong,
// which is never the line of what kustomize made.
//
//	go run ./gke-legacy/check              prints what is wrong, and exits with 1
//	go run ./gke-legacy/check -faults      plants faults in a copy, one at a time, and sees each found where it is
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// overlays are what is applied to a cluster.
var overlays = []string{
	"gke-legacy/overlays/autopilot",
	"gke-legacy/overlays/autopilot-elasticsearch",
	"gke-legacy/overlays/autopilot-faults",
	"gke-legacy/overlays/standard-chaos",
	"gke-legacy/rush",
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
	began := time.Now()
	says, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("gke: %s (%.0f s)\n", says, time.Since(began).Seconds())
}

// finding is something that is wrong.
type finding struct {
	file string
	line int
	says string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.file, f.line, f.says) }

// check is the whole check of the repository as it is.
func check(ctx context.Context) (string, error) {
	v, err := newValidators(ctx)
	if err != nil {
		return "", err
	}
	defer v.close()
	var found []finding
	objects := 0
	for _, overlay := range overlays {
		p, faults := render(ctx, v.kustomize, ".", overlay)
		found = append(found, faults...)
		if p == nil {
			continue
		}
		objects += len(p.objects)
		found = append(found, keepRules(p)...)
		for _, ask := range []func(context.Context, *profile) ([]finding, error){v.server.dryRun, v.analyze} {
			faults, err := ask(ctx, p)
			if err != nil {
				return "", fmt.Errorf("%s: %w", overlay, err)
			}
			found = append(found, faults...)
		}
	}
	if len(found) > 0 {
		return "", errors.New(list(found))
	}
	return fmt.Sprintf("%d objects of %d overlays: as a kube-apiserver takes them, and istioctl", objects, len(overlays)), nil
}

// list is findings by file and line, each once: overlays share what they stand on.
func list(found []finding) string {
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.says, b.says))
	})
	var lines []string
	for _, f := range slices.Compact(found) {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// validators are the programs that read the profile.
type validators struct {
	kustomize, istioctl string
	work                string // a folder that goes with them
	server              *server
}

// newValidators builds what isn't built yet and starts the server.
func newValidators(ctx context.Context) (*validators, error) {
	kustomize, err := tool(ctx, "kustomize", "kustomize")
	if err != nil {
		return nil, err
	}
	istioctl, err := tool(ctx, "istioctl", "istioctl")
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "gke-check")
	if err != nil {
		return nil, err
	}
	v := &validators{kustomize: kustomize, istioctl: istioctl, work: work}
	if v.server, err = start(ctx, filepath.Join(work, "server")); err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

func (v *validators) close() {
	if v.server != nil {
		v.server.stop()
	}
	_ = os.RemoveAll(v.work) // what is left of it is in the system's folder for such
}

// tool is the program of a module of tools/, built once.
func tool(ctx context.Context, module, name string) (string, error) {
	command := exec.CommandContext(ctx, "tools/build.sh", module)
	command.Stderr = os.Stderr
	folder, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("build tools/%s: %w", module, err)
	}
	program := filepath.Join(strings.TrimSpace(string(folder)), name)
	if _, err := os.Stat(program); err != nil {
		return "", err
	}
	return program, nil
}
