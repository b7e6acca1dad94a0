// Command istioctl is the one command of Istio's that the GKE profile is checked by, `istioctl analyze`, with nothing changed. The whole of
// istioctl has Helm and an installer in it, and takes several times as long to build.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"istio.io/istio/istioctl/pkg/analyze"
	"istio.io/istio/istioctl/pkg/cli"
	"istio.io/istio/pkg/log"
)

func main() {
	// As istioctl does: the log is no part of what is found.
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	if err := log.Configure(options); err != nil {
		panic(err)
	}
	root := &cobra.Command{Use: "istioctl", SilenceUsage: true}
	root.AddCommand(analyze.Analyze(cli.NewCLIContext(cli.AddRootFlags(root.PersistentFlags()))))
	if root.Execute() != nil {
		os.Exit(1)
	}
}
