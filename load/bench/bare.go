package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// bareRates are calls a second, each for bareLasts: about as many as a service gets of 15 orders a second, and many more.
var bareRates = []int{100, 1000}

const bareLasts = 5 * time.Second

// benchBare measures what an empty gRPC call between two programs that do nothing else costs, both ends: what each hop of an order costs
// at least. It depends on the rate, as programs that have gone to sleep are to be woken; so it is measured where orders are.
func benchBare(ctx context.Context, state string) (err error) {
	echo := exec.CommandContext(ctx, "/proc/self/exe", "echo")
	echo.Stderr = os.Stderr
	rest, err := echo.StdinPipe()
	if err != nil {
		return err
	}
	says, err := echo.StdoutPipe()
	if err != nil {
		return err
	}
	if err := echo.Start(); err != nil {
		return fmt.Errorf("start the other end: %w", err)
	}
	defer func() {
		rest.Close() // which ends it
		err = errors.Join(err, echo.Wait())
	}()
	address, err := bufio.NewReader(says).ReadString('\n')
	if err != nil {
		return fmt.Errorf("hear of the other end: %w", err)
	}
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimSpace(address), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)
	for _, rate := range bareRates {
		calls := rate * int(bareLasts/time.Second)
		called, err := cpuOf(state, echo.Process.Pid)
		if err != nil {
			return err
		}
		caller, err := cpuOf(state, os.Getpid())
		if err != nil {
			return err
		}
		if err := openLoop(ctx, rate, calls, func(int, time.Time) error {
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
			return err
		}); err != nil {
			return err
		}
		callerNow, err := cpuOf(state, os.Getpid())
		if err != nil {
			return err
		}
		calledNow, err := cpuOf(state, echo.Process.Pid)
		if err != nil {
			return err
		}
		report("a bare gRPC call costs caller=%s called=%s of CPU at %d/s", spent(callerNow-caller).per(calls), spent(calledNow-called).per(calls), rate)
	}
	return nil
}

// echo is the other end: it prints its address, and answers until its input ends.
func echo(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = os.Stdin.Read(make([]byte, 1)) // nothing comes but the end
		server.Stop()
	}()
	fmt.Println(listener.Addr())
	err = server.Serve(listener)
	<-ended
	return err
}
