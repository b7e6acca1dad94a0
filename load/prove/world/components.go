package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// master is what the Sentinels call the stock's Redis.
const master = "stock"

const sentinels = 3

// spannerEmulator is a fresh one: it keeps nothing.
func (w *World) spannerEmulator(round int) program {
	address := at(spannerPort, 1)
	return program{
		name: "spanner", dir: w.config.Dir, log: w.roundLog(round, "spanner"), env: w.environment("spanner", "", 0),
		command: func() []string { return []string{w.emulator, "--host_port", address} },
		ready:   dials(address),
	}
}

func (w *World) pubsubEmulator(round int) program {
	return program{
		name: "pubsub", dir: w.config.Dir, log: w.roundLog(round, "pubsub"), env: w.environment("pubsub", "", 0),
		command: func() []string {
			return append(slices.Clone(w.pubsub), "--host=127.0.0.1", "--port="+portOf(at(pubsubPort, 0)))
		},
		ready: func(ctx context.Context) error { return w.makeTopics(ctx) },
	}
}

// topics are those of local/pubsub.json.
type topics struct {
	Topics []string                       `json:"topics"`
	Push   map[string]map[string][]string `json:"push"` // by function, in lower case, and topic: the types of events that pass; none: all
}

func (w *World) topics() (topics, error) {
	var all topics
	text, err := os.ReadFile(filepath.Join(w.config.Root, "local", "pubsub.json"))
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return topics{}, fmt.Errorf("read the topics: %w", err)
	}
	return all, nil
}

func topicName(name string) string { return "projects/" + project + "/topics/" + name }

func subscriptionName(name string) string { return "projects/" + project + "/subscriptions/" + name }

// pushes are the subscriptions of the functions that run, each with its path below the invoker's, which has the function and its filter.
func (t topics) pushes() map[string]string {
	out := map[string]string{}
	for _, function := range functions {
		lower := strings.ToLower(function)
		for topic, types := range t.Push[lower] {
			path := lower
			if len(types) > 0 {
				path += "?" + url.Values{"type": types}.Encode()
			}
			out[subscriptionName(lower+"-"+topic)] = path
		}
	}
	return out
}

// makeTopics makes topics and subscriptions as local/components/pubsub.sh does, for the functions that run; but they are pulled (postman).
func (w *World) makeTopics(ctx context.Context) error {
	all, err := w.topics()
	if err != nil {
		return err
	}
	for _, name := range all.Topics {
		dead := name + "-dead-letters"
		err := errors.Join(
			putPubSub(ctx, topicName(name), map[string]any{}),
			putPubSub(ctx, topicName(dead), map[string]any{}),
			putPubSub(ctx, subscriptionName(dead), map[string]any{"topic": topicName(dead), "ackDeadlineSeconds": 60}))
		if err != nil {
			return err
		}
	}
	for _, function := range slices.Sorted(maps.Keys(all.Push)) {
		for _, topic := range slices.Sorted(maps.Keys(all.Push[function])) {
			name := subscriptionName(function + "-" + topic)
			if all.pushes()[name] == "" {
				continue
			}
			if err := putPubSub(ctx, name, map[string]any{"topic": topicName(topic), "ackDeadlineSeconds": 30}); err != nil {
				return err
			}
		}
	}
	return nil
}

// putPubSub makes a topic or a subscription; one that is there is right.
func putPubSub(ctx context.Context, resource string, body any) error {
	_, err := callPubSub(ctx, http.MethodPut, resource, body, http.StatusOK, http.StatusConflict)
	return err
}

// callPubSub calls the emulator's REST side. Statuses are those that are right.
func callPubSub(ctx context.Context, method, resource string, body any, statuses ...int) (answer []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s %s: %w", method, resource, err)
		}
	}()
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+at(pubsubPort, 0)+"/v1/"+resource, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := probes.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err == nil && !slices.Contains(statuses, resp.StatusCode) {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	return answer, err
}

// cartRedis is the carts' server.
func (w *World) cartRedis(round int) program {
	address := at(cartPort, 0)
	return program{
		name: "redis-cart", dir: w.config.Dir, log: w.roundLog(round, "redis-cart"), env: w.environment("redis-cart", "", 0),
		command: func() []string {
			return []string{"redis-server", "--bind", "127.0.0.1", "--port", portOf(address), "--save", "", "--appendonly", "no",
				"--set-proc-title", "no", "--maxmemory", "256mb", "--maxmemory-policy", "volatile-ttl"}
		},
		ready: pings(address),
	}
}

// stockRedis is one of the stock's two servers. It keeps nothing over its death, as Memorystore without persistence. Others know it by
// the address of its link. master tells, at each start, which one it is to follow: its own address if none.
func (w *World) stockRedis(round, n int, master func() string) program {
	name, link := fmt.Sprintf("redis-%d", n), at(linkPort, n)
	return program{
		name: name, dir: w.config.Dir, log: w.roundLog(round, name), env: w.environment(name, "", 0),
		command: func() []string {
			command := []string{"redis-server", "--bind", "127.0.0.1", "--port", portOf(at(redisPort, n)), "--save", "", "--appendonly", "no",
				"--set-proc-title", "no", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0",
				"--replica-announce-ip", "127.0.0.1", "--replica-announce-port", portOf(link)}
			if at := master(); at != link {
				command = append(command, "--replicaof", "127.0.0.1", portOf(at))
			}
			return command
		},
		ready: pings(at(redisPort, n)),
	}
}

// sentinel is one of those who decide which server is the master. Its file is its own: it writes what it learns there.
func (w *World) sentinel(round, n int) (program, error) {
	name := fmt.Sprintf("sentinel-%d", n)
	file := filepath.Join(w.roundDir(round), name+".conf")
	lines := []string{
		"bind 127.0.0.1", "port " + portOf(at(sentinelPort, n)), "protected-mode no", "dir " + w.roundDir(round), "set-proc-title no",
		"sentinel monitor " + master + " 127.0.0.1 " + portOf(at(linkPort, 0)) + " 2",
		"sentinel down-after-milliseconds " + master + " 1500",
		"sentinel failover-timeout " + master + " 4000",
		"sentinel parallel-syncs " + master + " 1",
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return program{}, fmt.Errorf("write a Sentinel's file: %w", err)
	}
	return program{
		name: name, dir: w.config.Dir, log: w.roundLog(round, name), env: w.environment(name, "", 0),
		command: func() []string { return []string{"redis-server", file, "--sentinel"} },
		ready:   pings(at(sentinelPort, n)),
	}, nil
}

// dials is a probe by TCP.
func dials(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// pings is a probe of a Redis server.
func pings(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		client := oneShot(address)
		defer client.Close()
		return client.Ping(ctx).Err()
	}
}

// oneShot is a client that sends each command once, and waits no longer than a second.
func oneShot(address string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: address, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
		ContextTimeoutEnabled: true, PoolSize: 2, DisableIdentity: true,
	})
}
