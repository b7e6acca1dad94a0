package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kind is a kind of object as the API server serves it.
type kind struct {
	Name       string // in paths: deployments
	Kind       string
	Namespaced bool
}

// definitions are where the modules of tools/crds have their CustomResourceDefinitions.
var definitions = map[string]string{
	"istio.io/api":                       "kubernetes/customresourcedefinitions.gen.yaml",
	"github.com/chaos-mesh/chaos-mesh":   "config/crd/bases/*.yaml",
	"github.com/elastic/cloud-on-k8s/v3": "config/crds/v1/resources/*.yaml",
}

// testRun is ours: no module that can be had has that of k6's operator.
//
//go:embed testrun.crd.yaml
var testRun []byte

// define reads the definitions. They are made known to the server once an object needs them: all of them together are megabytes.
func (s *server) define(ctx context.Context) error {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json")
	command.Dir = "tools/crds"
	command.Stderr = os.Stderr
	said, err := command.Output()
	if err != nil {
		return fmt.Errorf("get the modules of tools/crds: %w", err)
	}
	texts := [][]byte{testRun}
	modules := json.NewDecoder(bytes.NewReader(said))
	for modules.More() {
		var module struct{ Path, Dir string }
		if err := modules.Decode(&module); err != nil {
			return err
		}
		pattern, ours := definitions[module.Path]
		if !ours {
			continue
		}
		files, err := filepath.Glob(filepath.Join(module.Dir, pattern))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("%s has no %s (%w)", module.Path, pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			texts = append(texts, text)
		}
	}
	if len(texts) <= len(definitions) {
		return fmt.Errorf("tools/crds has no modules for all of %v", definitions)
	}
	for _, text := range texts {
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			group, name := inDefinition("group", document), inDefinition("kind", document)
			s.definitions = append(s.definitions, definition{group, name, document})
		}
	}
	return nil
}

// definition is a CustomResourceDefinition that wasn't read yet.
type definition struct {
	group, kind string
	text        []byte
}

// inDefinition is the group or kind that a definition's text says it defines.
func inDefinition(field string, text []byte) string {
	pattern := map[string]*regexp.Regexp{
		"group": regexp.MustCompile(`(?m)^  group: (\S+)$`),
		"kind":  regexp.MustCompile(`(?m)^    kind: (\S+)$`),
	}[field]
	if match := pattern.FindSubmatch(text); match != nil {
		return string(match[1])
	}
	return ""
}

// serves is the kind of an object, nil if the server has none. Its definition is applied first where there is one.
func (s *server) serves(ctx context.Context, o *object) (*kind, error) {
	version := o.text("apiVersion")
	if k, ok := s.known[version+" "+o.kind()]; ok {
		return k, nil
	}
	i := slices.IndexFunc(s.definitions, func(d definition) bool { return d.group == o.group() && d.kind == o.kind() })
	if i >= 0 {
		var value map[string]any
		if err := yaml.Unmarshal(s.definitions[i].text, &value); err != nil {
			return nil, err
		}
		name, _ := at(value, "metadata", "name").(string)
		if _, err := s.call(ctx, http.MethodPatch, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+name+"?fieldManager=check&force=true", value); err != nil {
			return nil, fmt.Errorf("define %s: %w", name, err)
		}
	}
	base := "/apis/" + version
	if o.group() == "" {
		base = "/api/" + version
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var failed error
	var found *kind
	poll(ctx, func() bool {
		found, failed = s.discover(ctx, base, o.kind())
		// What was just defined is served a moment later; what wasn't, isn't.
		return found != nil || i < 0 || failed != nil && ctx.Err() != nil
	})
	if failed != nil {
		return nil, failed
	}
	s.known[version+" "+o.kind()] = found
	return found, nil
}

// discover asks for the kinds of a version, and whether the one is served already.
func (s *server) discover(ctx context.Context, base, name string) (*kind, error) {
	a, err := s.call(ctx, http.MethodGet, base, nil)
	if a.status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var served struct{ Resources []kind }
	if err := json.Unmarshal(a.body, &served); err != nil {
		return nil, err
	}
	for _, k := range served.Resources {
		if k.Kind != name || strings.Contains(k.Name, "/") {
			continue
		}
		if a, err := s.call(ctx, http.MethodGet, base+"/"+k.Name+"?limit=1", nil); a.status == http.StatusNotFound {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		k.Name = base + "/\x00" + k.Name
		return &k, nil
	}
	return nil, nil
}

// path is where an object of this kind is applied.
func (k *kind) path(o *object) string {
	within := ""
	if k.Namespaced {
		within = "namespaces/" + o.namespace() + "/"
	}
	return strings.Replace(k.Name, "\x00", within, 1) + "/" + url.PathEscape(o.name())
}

// dryRun asks the server to apply each object, and to change nothing. Namespaces are applied: without them, nothing in them can be asked for.
func (s *server) dryRun(ctx context.Context, p *profile) (found []finding, err error) {
	objects := slices.Clone(p.objects)
	slices.SortStableFunc(objects, func(a, b *object) int { return rank(a) - rank(b) })
	for _, o := range objects {
		k, err := s.serves(ctx, o)
		if err != nil {
			return nil, err
		}
		if k == nil {
			found = append(found, p.blameAt(o, []string{"kind"}, "there is no kind %s in %s", o.kind(), o.text("apiVersion")))
			continue
		}
		if k.Namespaced && o.namespace() == "" {
			found = append(found, p.blameAt(o, []string{"metadata", "name"}, "%s %s is in no namespace", o.kind(), o.name()))
			continue
		}
		query := "?fieldManager=check&force=true&fieldValidation=Strict"
		if o.kind() != "Namespace" {
			query += "&dryRun=All"
		}
		a, err := s.call(ctx, http.MethodPatch, k.path(o)+query, o.value)
		for _, warning := range a.warnings {
			found = append(found, p.blameAt(o, pathIn(o, warning), "%s %s: %s", o.kind(), o.name(), warning))
		}
		var no *refused
		switch {
		case errors.As(err, &no):
			found = append(found, p.refusals(o, no)...)
		case err != nil:
			return nil, err
		}
	}
	return found, nil
}

// rank puts namespaces before what is in them.
func rank(o *object) int {
	if o.kind() == "Namespace" {
		return 0
	}
	return 1
}

// refusals are what the server says of an object, field by field.
func (p *profile) refusals(o *object, no *refused) (found []finding) {
	for _, c := range no.causes {
		if c.Field != "" && c.Field != "<nil>" {
			found = append(found, p.blameAt(o, parsePath(c.Field), "%s %s: %s: %s", o.kind(), o.name(), c.Field, c.Message))
		}
	}
	if len(found) == 0 {
		found = append(found, p.blameAt(o, pathIn(o, no.message), "%s %s: %s", o.kind(), o.name(), no.message))
	}
	return found
}

// What the server says of a field that it doesn't know, in its two ways, and of one that is there and should be otherwise.
var inMessage = []*regexp.Regexp{
	regexp.MustCompile(`(?:unknown|duplicate) field "([^"]+)"`),
	regexp.MustCompile(`(\.\S+): (?:field not declared in schema|expected )`),
	regexp.MustCompile(`(spec(?:\.\w+|\[\w+\])+)`),
}

// ofPods is what Pod Security complains of, a field of some container's or of the pod's.
var ofPods = regexp.MustCompile(`securityContext\.(\w+)`)

// pathIn is the path of an object that a message names, as far as it does.
func pathIn(o *object, message string) (path []string) {
	for _, pattern := range inMessage {
		if match := pattern.FindStringSubmatch(message); match != nil {
			return parsePath(match[1])
		}
	}
	if match := ofPods.FindStringSubmatch(message); match != nil {
		walk(o.node, nil, func(at []string, _ *yaml.Node) {
			if len(at) > 0 && at[len(at)-1] == match[1] {
				path = at
			}
		})
	}
	return path
}

// step is a part of a path as the API server writes them: name, [0], [app.kubernetes.io/name], [name="cart"], [port=80,protocol="TCP"].
var step = regexp.MustCompile(`\[([^\]]+)\]|([^.\[\]]+)`)

// parsePath: spec.containers[name="cart"].image is spec, containers, name=cart, image.
func parsePath(text string) (path []string) {
	for _, match := range step.FindAllStringSubmatch(text, -1) {
		inner, _, _ := strings.Cut(match[1], ",")
		path = append(path, strings.ReplaceAll(inner+match[2], `"`, ""))
	}
	return path
}
