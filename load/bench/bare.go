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
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"larder.dev/load/usage"
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
		before, err := bareCPU(state, echo.Process.Pid)
		if err != nil {
			return err
		}
		if err := openLoop(ctx, rate, calls, func(int, time.Time) error {
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
			return err
		}); err != nil {
			return err
		}
		after, err := bareCPU(state, echo.Process.Pid)
		if err != nil {
			return err
		}
		report("a bare gRPC call costs caller=%s called=%s of CPU at %d/s", (after[0] - before[0]).per(calls), (after[1] - before[1]).per(calls), rate)
	}
	return nil
}

// bareCPU is what this process and the other have spent.
func bareCPU(state string, other int) (both [2]spent, err error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return both, fmt.Errorf("read own CPU time: %w", err)
	}
	both[0] = spent(own.Utime.Nano() + own.Stime.Nano())
	all, err := usage.Read(state, map[int]string{other: "echo"})
	if err != nil {
		return both, err
	}
	for _, p := range all {
		if p.PID == other {
			both[1] = spent(p.CPU)
			return both, nil
		}
	}
	return both, errors.New("the other end has ended")
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
