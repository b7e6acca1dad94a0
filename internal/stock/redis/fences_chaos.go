//go:build chaos

package redis

import (
	"strings"

	"larder.dev/internal/chaos"
)

// fenced is a script without the fence that the prover has built out.
func fenced(script string) string {
	for fence, line := range map[chaos.Fence]string{
		chaos.InstanceCheck: " or loaded_on ~= instance()",
		chaos.AppliedSet:    "if state[2] then fresh = false end",
	} {
		if chaos.Without(fence) {
			script = strings.Replace(script, line, "", 1)
		}
	}
	return script
}
