// Command orders follows a shop's orders: an example of a consumer of events.
//
//	orders -project PROJECT -subscription NAME -journal FILE
//
// It says what each order has become, until it is interrupted. Started again with the same journal, it goes on.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const topic = "order-events"

type config struct {
	project, subscription, journal string
}

func main() {
	var c config
	flag.StringVar(&c.project, "project", "", "the shop's Google Cloud project")
	flag.StringVar(&c.subscription, "subscription", "", "the name of a subscription of your own; it is made if it isn't there")
	flag.StringVar(&c.journal, "journal", "", "the file that keeps what was taken in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

// run follows orders until ctx ends.
func run(ctx context.Context, c config, out io.Writer) error {
	orders, err := open(c.journal)
	if err != nil {
		return err
	}
	defer func() { _ = orders.close() }()
	client, err := pubsub.NewClient(ctx, c.project) // PUBSUB_EMULATOR_HOST leads it to an emulator
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := subscribe(ctx, client, c); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "listening")
	// Receive calls this for several messages at once.
	return client.Subscriber(c.subscription).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		news, err := orders.take(m.Attributes, m.Data)
		if err != nil {
			fmt.Fprintf(os.Stderr, "orders: message %s: %v\n", m.ID, err)
			m.Nack() // it comes again, later and later
			return
		}
		m.Ack() // only now: it is in the journal
		if news != "" {
			_, _ = fmt.Fprintln(out, news)
		}
	})
}

// subscribe makes the subscription if it isn't there. It gets what is published from then on.
func subscribe(ctx context.Context, client *pubsub.Client, c config) error {
	_, err := client.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name:  fmt.Sprintf("projects/%s/subscriptions/%s", c.project, c.subscription),
		Topic: fmt.Sprintf("projects/%s/topics/%s", c.project, topic),
		// How long the work on one event may take before it is sent to somebody else.
		AckDeadlineSeconds: 30,
		RetryPolicy:        &pubsubpb.RetryPolicy{}, // growing pauses between tries, 10 s to 10 min
	})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("make the subscription %s: %w", c.subscription, err)
	}
	return nil
}
