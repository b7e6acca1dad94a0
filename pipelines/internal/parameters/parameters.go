// Package parameters takes what a flex template of Dataflow gives a program: its parameters come as flags, --index=products-1, where
// everywhere else the environment has them, INDEX.
package parameters

import (
	"flag"
	"os"
	"strings"
)

// Define makes a flag of each variable, by its name in lower case. A flag that is given sets the variable, while flags are parsed.
func Define(flags *flag.FlagSet, variables ...string) {
	for _, variable := range variables {
		flags.Func(strings.ToLower(variable), "sets "+variable, func(value string) error { return os.Setenv(variable, value) })
	}
}
