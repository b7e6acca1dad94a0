package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// route leads the paths of a template to a service. Templates are what Google's load balancer calls path_template_match, with
// whole segments as variables only, which every version of it understands: {order=*} stands for one segment and so covers the
// custom verbs on it, such as 4711:cancel.
type route struct {
	Path    string `json:"path"`
	Service string `json:"service"`

	segments []string // "*" for a variable
}

// routes are tried in the order of the file; since templates that meet one path must lead to one service, the order is of no
// consequence.
type routes []*route

var (
	serviceName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	variable    = regexp.MustCompile(`^\{[a-z_]+=\*\}$`)
	literal     = regexp.MustCompile(`^[A-Za-z0-9._~:-]+$`)
)

// loadRoutes reads the file that Terraform reads too. All faults are reported at once.
func loadRoutes(path string) (routes, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	var rs routes
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rs); err != nil {
		return nil, fmt.Errorf("routes: %s: %w", path, err)
	}
	var faults []error
	for i, r := range rs {
		if err := r.parse(); err != nil {
			faults = append(faults, fmt.Errorf("routes: %s: entry %d: %w", path, i+1, err))
			continue
		}
		for _, earlier := range rs[:i] {
			if earlier.Service != r.Service && meet(earlier.segments, r.segments) || earlier.Path == r.Path {
				faults = append(faults, fmt.Errorf("routes: %s: %s and %s meet", path, earlier.Path, r.Path))
			}
		}
	}
	return rs, errors.Join(faults...)
}

func (r *route) parse() error {
	if !serviceName.MatchString(r.Service) {
		return fmt.Errorf("%q is no service's name", r.Service)
	}
	rest, rooted := strings.CutPrefix(r.Path, "/")
	if !rooted {
		return fmt.Errorf("path %q doesn't begin with /", r.Path)
	}
	for s := range strings.SplitSeq(rest, "/") {
		switch {
		case variable.MatchString(s):
			r.segments = append(r.segments, "*")
		case literal.MatchString(s):
			r.segments = append(r.segments, s)
		default:
			return fmt.Errorf("path %q: segment %q is neither a literal nor {name=*}", r.Path, s)
		}
	}
	return nil
}

// meet reports whether one path fits both.
func meet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && a[i] != "*" && b[i] != "*" {
			return false
		}
	}
	return true
}

// fits reports whether the route's template takes a path's segments; a * in the path is only a *.
func (r *route) fits(path []string) bool {
	return slices.EqualFunc(r.segments, path, func(want, got string) bool { return want == "*" || want == got })
}

// find is the service of an escaped path. An escaped slash stays inside its segment; dot segments lead nowhere.
func (rs routes) find(escapedPath string) (service string, ok bool) {
	rest, rooted := strings.CutPrefix(escapedPath, "/")
	if !rooted {
		return "", false
	}
	segments := strings.Split(rest, "/")
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", false
		}
	}
	for _, r := range rs {
		if r.fits(segments) {
			return r.Service, true
		}
	}
	return "", false
}

func (rs routes) services() []string {
	var out []string
	for _, r := range rs {
		if !slices.Contains(out, r.Service) {
			out = append(out, r.Service)
		}
	}
	return out
}
