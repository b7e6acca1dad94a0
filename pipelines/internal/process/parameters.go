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
	for _, field := range reflect.VisibleFields(reflect.TypeOf(c)) {
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		if name == "" {
			continue
		}
		flags.Func(strings.ToLower(name), fmt.Sprintf("the same as %s in the environment", name), func(value string) error {
			return os.Setenv(name, value)
		})
	}
}
