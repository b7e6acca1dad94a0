package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// program builds what is released.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "functions")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the functions: %v\n%s", err, out)
	}
	return path
}

// output is what a process writes, while it does.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(line)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestProcess(t *testing.T) {
	path := program(t)
	t.Run("life", func(t *testing.T) { processLives(t, path) })
	t.Run("faults", func(t *testing.T) { processFaults(t, path) })
}

// A process runs the one function that FUNCTION_TARGET names with that function's configuration alone. Told to end, it finishes what is
// under way, takes nothing new, and ends with 0.
func processLives(t *testing.T, path string) {
	r, port := newRig(t), freePort(t)
	process := exec.Command(path)
	process.Env = []string{
		"FUNCTION_TARGET=ClearCart", "PORT=" + port, "CART_ADDR=" + r.services.address, "INSECURE_CALLS=true", "LOG_LEVEL=DEBUG",
		"SERVICE_ACCOUNT=clearcart@" + domain,
	}
	for _, name := range []string{"GOOGLE_CLOUD_PROJECT", "PUBSUB_EMULATOR_HOST", "SERVICE_ACCOUNT_DOMAIN", "SERVICE_JWKS_URL", "GCE_METADATA_HOST"} {
		process.Env = append(process.Env, name+"="+os.Getenv(name))
	}
	var log output
	process.Stdout, process.Stderr = &log, &log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	t.Cleanup(func() { _ = process.Process.Kill() })
	r.audience = "https://larder.dev/functions/clearcart"
	base := "http://127.0.0.1:" + port
	post := func(client *http.Client, id string) (int, error) {
		req, err := http.NewRequest(http.MethodPost, base, bytes.NewReader(wrapped(t, id, happened(t, id, row(t, "ClearCart").good))))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", "Bearer "+r.issuer.IDToken(t, "pubsub-push", r.audience, time.Hour))
		got, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer got.Body.Close()
		_, err = io.Copy(io.Discard, got.Body)
		return got.StatusCode, err
	}

	r.await("readiness", func() bool {
		got, err := http.Get(base + "/readyz")
		if err != nil {
			return false
		}
		defer got.Body.Close()
		return got.StatusCode == http.StatusOK
	})
	release := make(chan struct{})
	r.services.answers("ClearCart", func(context.Context, proto.Message) (proto.Message, error) {
		<-release
		return nil, nil
	})
	underWay := make(chan error, 1)
	go func() {
		status, err := post(http.DefaultClient, "under-way")
		if err == nil && status != http.StatusNoContent {
			err = fmt.Errorf("answered %d", status)
		}
		underWay <- err
	}()
	r.await("the call", func() bool { return len(r.services.got("ClearCart")) == 1 })
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	impatient := &http.Client{Timeout: time.Second} // a call that is let in before the signal has arrived would wait
	r.await("the refusal of new calls", func() bool {
		status, err := post(impatient, "new")
		return status == http.StatusServiceUnavailable || errors.Is(err, syscall.ECONNREFUSED)
	})
	calls := len(r.services.got("ClearCart"))
	select {
	case err := <-ended:
		t.Fatalf("the process ended with a call under way: %v\n%s", err, log.String())
	default:
	}
	close(release)
	if err := <-underWay; err != nil {
		t.Errorf("what was under way: %v", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the process ended with %v\n%s", err, log.String())
		}
	case <-time.After(10 * time.Second):
		t.Errorf("the process doesn't end: %s", log.String())
	}
	if n := len(r.services.got("ClearCart")); n != calls {
		t.Errorf("%d calls after the signal", n-calls)
	}
	if !strings.Contains(log.String(), `"message":"event taken in","service":"clearcart","event":"under-way"`) {
		t.Errorf("the log is %s", log.String())
	}
}

// What is wrong is told at once, all of it, and the process ends with 1.
func processFaults(t *testing.T, path string) {
	busy, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	_, port, err := net.SplitHostPort(busy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		told []string
	}{
		{"no target", nil, []string{"FUNCTION_TARGET", "VoidPayment", "AuditIndex"}},
		{"an unknown target", []string{"FUNCTION_TARGET=SellTheShop"}, []string{`"SellTheShop"`, "VoidPayment"}},
		{
			"nothing set", []string{"FUNCTION_TARGET=ApplyPaymentEvent", "FUNCTION_TIMEOUT=soon", "PORT=http"},
			[]string{"GOOGLE_CLOUD_PROJECT", "SERVICE_ACCOUNT_DOMAIN", "PAYMENT_ADDR", "CHECKOUT_ADDR", "Timeout", "Port"},
		},
		{"a port that is taken", []string{
			"FUNCTION_TARGET=FoldLedger", "PORT=" + port, "GOOGLE_CLOUD_PROJECT=p", "SERVICE_ACCOUNT_DOMAIN=d", "CHECKOUT_ADDR=127.0.0.1:1", "SERVICE_JWKS_URL=http://127.0.0.1:1/",
		}, []string{"address already in use"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			process := exec.CommandContext(t.Context(), path)
			process.Env = append([]string{"PUBSUB_EMULATOR_HOST=127.0.0.1:1"}, c.env...)
			out, err := process.CombinedOutput()
			if process.ProcessState.ExitCode() != 1 {
				t.Errorf("it ended with %v", err)
			}
			for _, text := range c.told {
				if !strings.Contains(string(out), text) {
					t.Errorf("%s isn't told:\n%s", text, out)
				}
			}
		})
	}
}
