package main

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	// The messages that Cloud Build publishes: their fields, enumerations, and which of them are an answer.
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"go.yaml.in/yaml/v3"
)

// builds are Cloud Build's files.
var builds = []string{"cloudbuild.yaml", "delivery/*.yaml"}

func keepBuilds(r repository) {
	for _, name := range r.glob(builds...) {
		text := r.read(name)
		report := func(line int, format string, arguments ...any) { r.report(name, line, format, arguments...) }
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) != 1 {
			report(1, "%v", err)
			continue
		}
		root := document.Content[0]
		keepMessage(root, (&cloudbuildpb.Build{}).ProtoReflect().Descriptor(), report)
		b := build{repository: r, root: root, report: report}
		b.keepOrder()
		b.keepSubstitutions()
		b.keepSteps()
		if name == "cloudbuild.yaml" {
			b.keepImages()
		}
	}
}

// build is one file.
type build struct {
	repository
	root   *yaml.Node
	report func(line int, format string, arguments ...any)
}

// field is a mapping's value; an empty node where there is none.
func field(node *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	return &yaml.Node{Line: node.Line}
}

// keepOrder: each step has an id of its own and says what it waits for, which stands above it.
func (b build) keepOrder() {
	above := map[string]bool{"-": true}
	steps := field(b.root, "steps")
	if len(steps.Content) == 0 {
		b.report(steps.Line, "there are no steps")
	}
	for i, step := range steps.Content {
		id := field(step, "id").Value
		if id == "" || above[id] {
			b.report(step.Line, "a step needs an id of its own, and this one's is %q", id)
		}
		waits := field(step, "waitFor")
		if len(waits.Content) == 0 && i > 0 {
			b.report(step.Line, "%s doesn't say what it waits for", id)
		}
		for _, wait := range waits.Content {
			if !above[wait.Value] {
				b.report(wait.Line, "%s waits for %q, and no step above it has that id", id, wait.Value)
			}
		}
		above[id] = true
	}
}

// builtIn are the substitutions that every build of a trigger has.
var builtIn = []string{
	"PROJECT_ID", "PROJECT_NUMBER", "LOCATION", "BUILD_ID", "COMMIT_SHA", "REVISION_ID", "SHORT_SHA", "REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME",
	"TAG_NAME", "REF_NAME", "TRIGGER_NAME", "TRIGGER_BUILD_CONFIG_PATH", "SERVICE_ACCOUNT", "SERVICE_ACCOUNT_EMAIL",
}

var (
	use       = regexp.MustCompile(`\$\$|\$\{([A-Za-z0-9_]*)\}|\$([A-Z_][A-Z0-9_]*)`)
	ownName   = regexp.MustCompile(`^_[A-Z0-9_]+$`)
	byDigest  = regexp.MustCompile(`^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$`)
	byTrigger = regexp.MustCompile(`^\$\{(_[A-Z0-9_]+)\}$`)
)

// keepSubstitutions: what is used is declared, and what is declared is used.
func (b build) keepSubstitutions() {
	declared, used := field(b.root, "substitutions"), map[string]bool{}
	var walk func(*yaml.Node)
	walk = func(node *yaml.Node) {
		for _, inner := range node.Content {
			if inner != declared {
				walk(inner)
			}
		}
		if node.Kind != yaml.ScalarNode {
			return
		}
		for _, match := range use.FindAllStringSubmatch(node.Value, -1) {
			name := match[1] + match[2]
			used[name] = true
			if match[0] != "$$" && !slices.Contains(builtIn, name) && field(declared, name).Kind == 0 {
				b.report(node.Line, "%s is neither Cloud Build's nor among the substitutions", match[0])
			}
		}
	}
	walk(b.root)
	for i := 0; i+1 < len(declared.Content); i += 2 {
		switch key := declared.Content[i]; {
		case !ownName.MatchString(key.Value):
			b.report(key.Line, "%q is no name of a substitution: _ and capitals", key.Value)
		case !used[key.Value]:
			b.report(key.Line, "nothing uses %s", key.Value)
		}
	}
}

// keepSteps: what a step runs in is named by digest, and what it runs is there.
func (b build) keepSteps() {
	targets := b.targets()
	for _, step := range field(b.root, "steps").Content {
		image := field(step, "name")
		given := byTrigger.FindStringSubmatch(image.Value)
		// The trigger's is a digest: terraform/check sees to it.
		if !byDigest.MatchString(image.Value) && (len(given) == 0 || field(field(b.root, "substitutions"), given[1]).Value != "") {
			b.report(image.Line, "the image %q is named without a digest", image.Value)
		}
		var words []string
		for _, word := range field(step, "args").Content {
			words = append(words, word.Value)
		}
		line := field(step, "args").Line
		switch {
		case len(words) == 2 && words[0] == "bash":
			if !b.has(words[1]) {
				b.report(line, "there is no script %s", words[1])
			}
		case len(words) > 2 && words[0] == "go" && words[1] == "run":
			if !b.has(path.Join(words[2], "main.go")) {
				b.report(line, "there is no program %s", words[2])
			}
		case len(words) > 1 && words[0] == "make":
			for _, target := range words[1:] {
				if !targets[target] {
					b.report(line, "the Makefile has no target %s", target)
				}
			}
		default:
			b.report(line, "this runs %q: a step is bash FILE, make TARGET, or go run ./FOLDER", words)
		}
	}
}

var target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)

// targets are the Makefile's.
func (r repository) targets() map[string]bool {
	all := map[string]bool{}
	for _, match := range target.FindAllStringSubmatch(r.read("Makefile"), -1) {
		all[match[1]] = true
	}
	return all
}

// byHand are programs of run/ that people start from their own machine.
var byHand = []string{"deadletters"}

// keepImages: each program that runs on Google Cloud is an image, and nothing else is.
func (b build) keepImages() {
	want := map[string]bool{"functions": true}
	for _, folder := range b.glob("run/*", "pipelines/*") {
		if _, err := fs.Stat(b, folder+"/main.go"); err == nil && !slices.Contains(byHand, path.Base(folder)) {
			want[path.Base(folder)] = true
		}
	}
	images := field(b.root, "images")
	for _, image := range images.Content {
		name, tag, _ := strings.Cut(path.Base(image.Value), ":")
		if !want[name] || tag != "$SHORT_SHA" {
			b.report(image.Line, "%s is no image of a program of ours by its commit", image.Value)
		}
		delete(want, name)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		b.report(images.Line, "the image of %s is missing", name)
	}
}
