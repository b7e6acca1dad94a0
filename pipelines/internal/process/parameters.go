package process

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners"
)

// OnDataflow tells whether the pipeline is to run there: --runner dataflow, or as the launcher of flex templates says it.
func OnDataflow() bool { return *runners.Runner == "dataflow" || *runners.Runner == "DataflowRunner" }

// Parameters defines a flag for each variable that the struct c reads from the environment: --index for INDEX. The launcher of a flex
// template hands its parameters over as flags; they are set in the environment before that is read.
func Parameters(flags *flag.FlagSet, c any) {
	for _, name := range variables(reflect.TypeOf(c)) {
		flags.Func(strings.ToLower(name), fmt.Sprintf("the same as %s in the environment", name), func(value string) error {
			return os.Setenv(name, value)
		})
	}
}

// variables are the names of those that a struct reads from the environment, with those of the structs in it.
func variables(of reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		switch {
		case name != "":
			names = append(names, name)
		case field.Type.Kind() == reflect.Struct && !field.Anonymous:
			names = append(names, variables(field.Type)...)
		}
	}
	return names
}
