package main

import (
	"regexp"
	"strings"
)

// dockerfiles are all that make images.
var dockerfiles = []string{"Dockerfile", "pipelines/Dockerfile", "delivery/builder/Dockerfile"}

var (
	from     = regexp.MustCompile(`^FROM\s+(\S+)`)
	argument = regexp.MustCompile(`^ARG\s+([A-Z_]+)(?:=(\S+))?$`)
)

// keepDockerfiles: bases are named by digest, or given by who builds; the services' image runs as nobody in particular.
func keepDockerfiles(r repository) {
	for _, name := range dockerfiles {
		text := r.read(name)
		arguments, bases := map[string]string{}, 0
		for i, line := range strings.Split(text, "\n") {
			if match := argument.FindStringSubmatch(line); match != nil {
				arguments[match[1]] = match[2]
			}
			match := from.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			bases++
			base, given := match[1], false
			for argument, value := range arguments {
				if base == "${"+argument+"}" {
					base, given = value, value == ""
				}
			}
			if !given && !byDigest.MatchString(base) {
				r.report(name, i+1, "the base %q is named without a digest", base)
			}
		}
		if bases == 0 {
			r.report(name, 1, "there is no base")
		}
		if name == "Dockerfile" && !strings.Contains(text, "\nUSER 65532:65532\n") {
			r.report(name, 1, "its program runs as root")
		}
	}
}
