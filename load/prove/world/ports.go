package world

import (
	"fmt"
	"net"
	"strconv"
)

// Ports: those of local/env.sh, but from 22000 on. That is between the profiles demo and test, and below the ports that the system
// gives to clients: one of those might be taken just when a killed process is to listen on it again. Further instances, and what stands
// behind a proxy, are thousands above.
const firstPort = 22000

const (
	postgresPort = 432
	cartPort     = 380
	spannerPort  = 10 // the proxy; the emulator itself is one thousand above
	pubsubPort   = 85 // the emulator; what our programs take for it is a proxy one thousand above
	paymentsPort = 90 // the same
	metadataPort = 91
	invokerPort  = 92
	edgePort     = 80
	userPort     = 101
	productPort  = 102
	nobodyPort   = 103 // where the edge would find what no round has
	cartsPort    = 104
	checkoutPort = 105 // a proxy of all instances, each of which is a thousand further; so the next three
	orderPort    = 106
	paymentPort  = 107
	relayPort    = 108
	functionPort = 121 // and the next ones

	redisPort    = 379 // the two servers of stock; the way in to each of them, for Sentinels and replicas, is at linkPort
	linkPort     = 381
	sentinelPort = 382
	viewPort     = 384 // what each process takes for the stock's Redis
)

// at is an address of the loopback: a port's number counts from firstPort, an instance's from 0.
func at(port, instance int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(number(port, instance)))
}

func number(port, instance int) int { return firstPort + port + 1000*instance }

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Sprintf("no port in %q", address)
	}
	return port
}
