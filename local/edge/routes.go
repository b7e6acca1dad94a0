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
// custom verbs on it, such as 4711:cancel. {page=**} at the end stands for all that comes, nothing included: such a route leads to pages, and
// is for what no other one takes.
type route struct {
	Path    string `json:"path"`
	Service string `json:"service"`

	segments []string // "*" for a variable
	below    bool     // ends with {page=**}
}

// routes are tried in the order of the file; since templates that meet one path must lead to one service, the order is of no
// consequence. Of those to pages the longest counts.
type routes []*route

var (
	serviceName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	variable    = regexp.MustCompile(`^\{[a-z_]+=\*\}$`)
	rest        = regexp.MustCompile(`/\{[a-z_]+=\*\*\}$`)
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
			if earlier.Path == r.Path || earlier.Service != r.Service && !earlier.below && !r.below && meet(earlier.segments, r.segments) {
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
	path := r.Path
	if end := rest.FindStringIndex(path); end != nil {
		r.below, path = true, path[:end[0]]
		if path == "" {
			return nil // all of the host
		}
	}
	inside, rooted := strings.CutPrefix(path, "/")
	if !rooted {
		return fmt.Errorf("path %q doesn't begin with /", r.Path)
	}
	for s := range strings.SplitSeq(inside, "/") {
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
	if r.below {
		if len(path) < len(r.segments) {
			return false
		}
		path = path[:len(r.segments)]
	}
	return slices.EqualFunc(r.segments, path, func(want, got string) bool { return want == "*" || want == got })
}

// find is the service of an escaped path. An escaped slash stays inside its segment; dot segments lead nowhere. What is the API's by its
// first segment, and isn't there, is no page.
func (rs routes) find(escapedPath string) (service string, ok bool) {
	inside, rooted := strings.CutPrefix(escapedPath, "/")
	if !rooted {
		return "", false
	}
	segments := strings.Split(inside, "/")
	for i, s := range segments {
		if last := i == len(segments)-1; s == "" && !last || s == "." || s == ".." {
			return "", false
		}
	}
	for _, r := range rs {
		if !r.below && segments[len(segments)-1] != "" && r.fits(segments) {
			return r.Service, true
		}
	}
	if programs(segments[0]) {
		return "", false
	}
	var page *route
	for _, r := range rs {
		if r.below && r.fits(segments) && (page == nil || len(r.segments) > len(page.segments)) {
			page = r
		}
	}
	if page == nil {
		return "", false
	}
	return page.Service, true
}

// programs tells whether paths that begin with a segment are for programs: the API, in whatever case, and gRPC's.
func programs(first string) bool {
	first = strings.ToLower(first)
	return first == "v1" || first == ".well-known" || first == "openapi.yaml" || strings.HasPrefix(first, "larder.")
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
