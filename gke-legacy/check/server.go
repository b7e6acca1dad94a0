package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is a kube-apiserver on an etcd of its own, both on loopback and with nothing behind them: no pod ever runs.
type server struct {
	address, token string
	client         *http.Client
	processes      []*exec.Cmd // in the order of their start
	folder         string
	known          map[string]*kind // by apiVersion and kind
	definitions    []definition
}

// startTime bounds how long the two take to be ready.
const startTime = time.Minute

func start(ctx context.Context, folder string) (*server, error) {
	etcd, err := tool(ctx, "kube-apiserver", "etcd")
	if err != nil {
		return nil, err
	}
	apiserver, err := tool(ctx, "kube-apiserver", "kube-apiserver")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	s := &server{folder: folder, address: "https://127.0.0.1:" + ports[2], token: hex.EncodeToString(secret), known: map[string]*kind{}}
	key, tokens := filepath.Join(folder, "accounts.pem"), filepath.Join(folder, "tokens.csv")
	if err := errors.Join(writeKey(key), os.WriteFile(tokens, []byte(s.token+",check,check,system:masters\n"), 0o600)); err != nil {
		return nil, err
	}
	clients, peers := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	if err := s.run(ctx, "etcd", etcd, "--data-dir", filepath.Join(folder, "etcd"), "--listen-client-urls", clients, "--advertise-client-urls", clients,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers, "--unsafe-no-fsync", "--log-level", "error"); err != nil {
		return nil, err
	}
	if err := s.run(ctx, "kube-apiserver", apiserver, "--etcd-servers", clients, "--bind-address", "127.0.0.1", "--secure-port", ports[2],
		"--cert-dir", filepath.Join(folder, "certs"), "--service-account-key-file", key, "--service-account-signing-key-file", key,
		"--service-account-issuer", "https://kubernetes.default.svc", "--token-auth-file", tokens, "--authorization-mode", "RBAC",
		"--service-cluster-ip-range", "10.36.0.0/20", "--disable-admission-plugins", "ServiceAccount", "--endpoint-reconciler-type", "none"); err != nil {
		s.stop()
		return nil, err
	}
	if err := s.wait(ctx); err != nil {
		s.stop()
		return nil, err
	}
	if err := s.define(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// run starts a process that ends with this one.
func (s *server) run(ctx context.Context, name, program string, arguments ...string) error {
	log, err := os.Create(filepath.Join(s.folder, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, command)
	return nil
}

// stop ends what was started last first: without its etcd the API server lingers.
func (s *server) stop() {
	for i := len(s.processes) - 1; i >= 0; i-- {
		_ = s.processes[i].Process.Kill() // it may have ended
		_ = s.processes[i].Wait()
	}
}

// wait until the API server says that it is ready. It makes its certificate when it starts, and only that one is believed.
func (s *server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err := errors.New("it has made no certificate")
	poll(ctx, func() bool {
		if s.client == nil {
			certificate, unread := os.ReadFile(filepath.Join(s.folder, "certs", "apiserver.crt"))
			pool := x509.NewCertPool()
			if unread != nil || !pool.AppendCertsFromPEM(certificate) {
				return false
			}
			s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
		}
		_, err = s.call(ctx, http.MethodGet, "/readyz", nil)
		return err == nil
	})
	if err == nil {
		return nil
	}
	log, _ := os.ReadFile(filepath.Join(s.folder, "kube-apiserver.log"))
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return fmt.Errorf("kube-apiserver isn't ready after %s: %w\n%s", startTime, err, strings.Join(lines[max(0, len(lines)-10):], "\n"))
}

// poll until it is done, or the context is.
func poll(ctx context.Context, done func() bool) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// freePorts are ports that nobody listens on now.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var ports []string
	var held []net.Listener // until the last is known: so they differ
	defer func() {
		for _, listener := range held {
			_ = listener.Close()
		}
	}()
	for range n {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, listener)
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// writeKey makes the key that accounts' tokens would be signed with.
func writeKey(name string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return os.WriteFile(name, text, 0o600)
}

// answer is what the API server says of a request.
type answer struct {
	status   int
	body     []byte
	warnings []string
}

// refused is a status of 400 and above.
type refused struct {
	answer
	message string
	causes  []cause
}

// cause is a field that is wrong.
type cause struct{ Field, Message string }

func (r *refused) Error() string { return r.message }

// call sends a body, applied where the method is PATCH, and reads the answer.
func (s *server) call(ctx context.Context, method, path string, value any) (answer, error) {
	var body io.Reader
	if value != nil {
		text, err := json.Marshal(value)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.address+path, body)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/apply-patch+yaml") // which JSON is, too
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		return answer{}, err
	}
	for _, warning := range response.Header.Values("Warning") {
		// 299 - "text", by RFC 9111.
		if _, text, ok := strings.Cut(warning, `"`); ok {
			a.warnings = append(a.warnings, strings.ReplaceAll(strings.TrimSuffix(text, `"`), `\"`, `"`))
		}
	}
	if a.status < 400 {
		return a, nil
	}
	var status struct {
		Message string
		Details struct{ Causes []cause }
	}
	if err := json.Unmarshal(a.body, &status); err != nil {
		status.Message = string(a.body)
	}
	return a, &refused{a, fmt.Sprintf("%d %s", a.status, status.Message), status.Details.Causes}
}
