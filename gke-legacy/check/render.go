package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// profile is an overlay as kustomize builds it, and where each thing in it comes from.
type profile struct {
	root, overlay string
	objects       []*object
	sources       []source
	text          []byte // all of it, as it would be applied
}

// object is a document of the profile.
type object struct {
	node  *yaml.Node
	value map[string]any
}

// text is the scalar at a path, "" if there is none.
func (o *object) text(path ...string) string {
	s, _ := at(o.value, path...).(string)
	return s
}

func at(v any, path ...string) any {
	for _, step := range path {
		inner, _ := v.(map[string]any)
		v = inner[step]
	}
	return v
}

func (o *object) kind() string      { return o.text("kind") }
func (o *object) name() string      { return o.text("metadata", "name") }
func (o *object) namespace() string { return o.text("metadata", "namespace") }
func (o *object) group() string {
	group, _, grouped := strings.Cut(o.text("apiVersion"), "/")
	if !grouped {
		return ""
	}
	return group
}

// source is a document that somebody has written, or that a committed generator has.
type source struct {
	file string // from the root
	node *yaml.Node
}

// render builds an overlay. What keeps it from being built is a finding, and there is no profile.
func render(ctx context.Context, kustomize, root, overlay string) (*profile, []finding) {
	p := &profile{root: root, overlay: overlay}
	if found := p.readSources(); len(found) > 0 {
		return nil, found
	}
	command := exec.CommandContext(ctx, kustomize, "build", filepath.Join(root, overlay))
	var failed bytes.Buffer
	command.Stderr = &failed
	text, err := command.Output()
	if err != nil {
		return nil, []finding{p.blame(strings.TrimSpace(failed.String()))}
	}
	p.text = text
	documents := yaml.NewDecoder(bytes.NewReader(text))
	for {
		o := &object{node: &yaml.Node{}}
		if err := documents.Decode(o.node); errors.Is(err, io.EOF) {
			return p, nil
		} else if err != nil {
			return nil, []finding{{overlay + "/kustomization.yaml", 1, err.Error()}}
		}
		if err := o.node.Decode(&o.value); err != nil {
			return nil, []finding{{overlay + "/kustomization.yaml", 1, err.Error()}}
		}
		p.objects = append(p.objects, o)
	}
}

// readSources reads every YAML file of the profile, and finds what isn't YAML.
func (p *profile) readSources() (found []finding) {
	err := filepath.WalkDir(filepath.Join(p.root, "gke-legacy"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(p.root, name)
		if err != nil {
			return err
		}
		documents := yaml.NewDecoder(bytes.NewReader(text))
		for {
			node := &yaml.Node{}
			if err := documents.Decode(node); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				found = append(found, finding{file, numberIn(err.Error()), err.Error()})
				return nil
			}
			p.sources = append(p.sources, source{file, node})
		}
	})
	if err != nil {
		found = append(found, finding{p.overlay, 1, err.Error()})
	}
	return found
}

var lineNumber = regexp.MustCompile(`line (\d+)`)

func numberIn(text string) int {
	if match := lineNumber.FindStringSubmatch(text); match != nil {
		n, err := strconv.Atoi(match[1])
		if err == nil {
			return n
		}
	}
	return 1
}

// blame finds the line of a kustomization that kustomize complains of: the one with the longest word that the complaint has, too.
func (p *profile) blame(complaint string) finding {
	best, length := finding{p.overlay + "/kustomization.yaml", 1, complaint}, 0
	for _, s := range p.sources {
		if filepath.Base(s.file) != "kustomization.yaml" {
			continue
		}
		walk(s.node, nil, func(_ []string, n *yaml.Node) {
			if n.Kind == yaml.ScalarNode && len(n.Value) > length && len(n.Value) > 4 && strings.Contains(complaint, "'"+n.Value+"'") {
				best, length = finding{s.file, n.Line, complaint}, len(n.Value)
			}
		})
	}
	return best
}

// walk calls back with every node and its path.
func walk(n *yaml.Node, path []string, call func(path []string, n *yaml.Node)) {
	call(path, n)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			walk(n.Content[i+1], append(slices.Clone(path), n.Content[i].Value), call)
		}
	case yaml.SequenceNode:
		for i, element := range n.Content {
			walk(element, append(slices.Clone(path), strconv.Itoa(i)), call)
		}
	default:
		for _, inner := range n.Content {
			walk(inner, path, call)
		}
	}
}

// down goes along a path as far as it is there, and says how many steps that is. The line is of the last key or element. A step name=cart
// takes the element of a list that has it.
func down(n *yaml.Node, path []string) (line, steps int) {
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	line = n.Line
	for i, step := range path {
		next, where := (*yaml.Node)(nil), 0
		switch n.Kind {
		case yaml.MappingNode:
			for j := 0; j+1 < len(n.Content); j += 2 {
				if n.Content[j].Value == step {
					next, where = n.Content[j+1], n.Content[j].Line
				}
			}
		case yaml.SequenceNode:
			index, err := strconv.Atoi(step)
			key, value, named := strings.Cut(step, "=")
			for j, element := range n.Content {
				if err == nil && j == index || named && scalar(element, key) == value {
					next, where = element, element.Line
				}
			}
		}
		if next == nil {
			return line, i
		}
		n, line = next, where
	}
	return line, len(path)
}

// scalar is the value of a mapping's key.
func scalar(n *yaml.Node, key string) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// blameAt is a finding where a path of an object was written: in the document that has the longest part of it, the overlay's own first.
func (p *profile) blameAt(o *object, path []string, format string, arguments ...any) finding {
	best := finding{p.overlay + "/kustomization.yaml", 1, fmt.Sprintf(format, arguments...)}
	most := -1
	for _, s := range p.sources {
		document := &object{}
		if s.node.Decode(&document.value) != nil || document.kind() != o.kind() || document.name() == "" || !named(o.name(), document.name()) {
			continue
		}
		line, steps := down(s.node, path)
		steps *= 2
		if strings.HasPrefix(s.file, p.overlay) {
			steps++
		}
		if steps > most {
			most, best.file, best.line = steps, s.file, line
		}
	}
	return best
}

// named: what kustomize made may have a checksum at the end of its name.
func named(made, written string) bool {
	return made == written || strings.HasPrefix(made, written+"-") && len(made) == len(written)+11
}
