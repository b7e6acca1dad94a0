//go:build bench

package rooms

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"larder.dev/load/bench/figure"
)

const (
	// startBound is how long a program may take from its start to its first answer.
	startBound = 200 * time.Millisecond
	starts     = 7
)

// noService are programs of run/ that answer nobody.
var noService = []string{"deadletters", "migrate"}

// TestStart starts each program anew some times, as Cloud Run does when it scales out, and waits for its first answer. Most connect when they are
// first asked; the user service migrates its tables before it listens.
func TestStart(t *testing.T) {
	address(t, "LARDER_STATE")
	root := filepath.Join("..", "..", "..")
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", bin+string(filepath.Separator), "./run/...", "./functions")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	entries, err := os.ReadDir(filepath.Join(root, "run"))
	if err != nil {
		t.Fatal(err)
	}
	type program struct{ file, function string }
	var programs []program
	for _, entry := range entries {
		if !slices.Contains(noService, entry.Name()) {
			programs = append(programs, program{file: entry.Name()})
		}
	}
	for _, function := range strings.Fields(address(t, "LARDER_FUNCTIONS")) {
		programs = append(programs, program{"functions", function})
	}
	var slowest time.Duration
	var slow string
	var late []string
	for _, p := range programs {
		name, path := p.file, "/livez"
		if p.function != "" {
			name, path = p.function, "/readyz"
		}
		file, err := os.Stat(filepath.Join(bin, p.file))
		if err != nil {
			t.Fatal(err)
		}
		var took []time.Duration
		var resident int
		for range starts {
			lasted, kib, err := start(t.Context(), filepath.Join(bin, p.file), path, "FUNCTION_TARGET="+p.function, "SERVICE_ACCOUNT="+strings.ToLower(name)+"@"+os.Getenv("SERVICE_ACCOUNT_DOMAIN"))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			took, resident = append(took, lasted), max(resident, kib)
		}
		typical := figure.Percentile(took, 500)
		report("start %s first_answer=%s longest=%s binary=%.1fMiB resident=%.1fMiB", name, ms(typical), ms(figure.Percentile(took, 1000)),
			float64(file.Size())/(1<<20), float64(resident)/1024)
		if typical > slowest {
			slowest, slow = typical, name
		}
		if typical > startBound {
			late = append(late, name)
		}
	}
	tell(t, figure.Figure{
		Name: "start to first answer", Seen: fmt.Sprintf("%s the slowest of %d, %s", ms(slowest), len(programs), slow),
		Bound: ms(startBound), Missed: len(late) > 0,
	})
}

// start runs a program until it has answered once, and tells how long that took and how many KiB it has in memory then.
func start(ctx context.Context, file, path string, environment ...string) (took time.Duration, resident int, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	at := listener.Addr().String()
	_ = listener.Close() // the program takes its port
	_, port, _ := net.SplitHostPort(at)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	program := exec.CommandContext(ctx, file)
	program.Env = append(os.Environ(), append(environment, "PORT="+port, "OTEL_SDK_DISABLED=true")...)
	var output strings.Builder
	program.Stdout, program.Stderr = &output, &output
	began := time.Now()
	if err := program.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		cancel() // kills it
		_ = program.Wait()
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+path, http.NoBody)
		if err != nil {
			return 0, 0, err
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("no answer: %s", output.String())
		}
	}
	took = time.Since(began)
	resident, err = residentOf(program.Process.Pid)
	return took, resident, err
}

// residentOf reads a process's memory in KiB.
func residentOf(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		}
	}
	return 0, fmt.Errorf("process %d doesn't tell its memory", pid)
}
