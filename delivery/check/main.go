// Command check holds what delivers the platform against what must be true of it, without a cloud: Cloud Build's files against its published
// messages, and against the scripts, targets and programs that they run; the Dockerfiles and the versions in them; and the names in the pages that
// people follow.
//
//	go run ./delivery/check              prints what is wrong, each with file and line, and exits with 1
//	go run ./delivery/check -faults      plants faults, one at a time, and sees each found
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

func main() {
	planting := flag.Bool("faults", false, "plant faults, and see each found")
	flag.Parse()
	if *planting {
		missed := missedFaults(os.DirFS("."))
		for _, m := range missed {
			fmt.Fprintln(os.Stderr, m)
		}
		fmt.Printf("delivery: %d of %d planted faults caught\n", len(faults)-len(missed), len(faults))
		exit(len(missed))
	}
	found := check(os.DirFS("."))
	for _, f := range found {
		fmt.Fprintln(os.Stderr, f)
	}
	exit(len(found))
}

func exit(faults int) {
	if faults > 0 {
		os.Exit(1)
	}
}

// finding is something that is wrong.
type finding struct {
	file string
	line int
	says string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.file, f.line, f.says) }

// rules are what must be true of a repository. Each gets all of it, and a way to report that fills in the rest.
var rules = []func(r repository){
	keepBuilds,
	keepDockerfiles,
	keepVersions,
	keepPages,
}

// repository is what is checked, and where findings go.
type repository struct {
	fs.FS
	found *[]finding
}

func (r repository) report(file string, line int, format string, arguments ...any) {
	*r.found = append(*r.found, finding{file: file, line: line, says: fmt.Sprintf(format, arguments...)})
}

// read is a file's text; a missing one is a finding.
func (r repository) read(name string) string {
	text, err := fs.ReadFile(r, name)
	if err != nil {
		r.report(name, 1, "%v", err)
	}
	return string(text)
}

func (r repository) has(name string) bool {
	_, err := fs.Stat(r, name)
	return err == nil
}

// glob are the files of patterns. A pattern of this program's that matches nothing is a fault: its rule would keep nothing.
func (r repository) glob(patterns ...string) []string {
	var all []string
	for _, pattern := range patterns {
		names, err := fs.Glob(r, pattern)
		if err != nil || len(names) == 0 {
			r.report(pattern, 1, "there is no such file (%v)", err)
		}
		all = append(all, names...)
	}
	return all
}

func check(root fs.FS) []finding {
	var found []finding
	for _, keep := range rules {
		keep(repository{FS: root, found: &found})
	}
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.says, b.says))
	})
	return slices.Compact(found)
}
